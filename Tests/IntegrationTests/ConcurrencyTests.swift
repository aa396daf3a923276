import Testing

extension IntegrationTests {
    /// The bounds on what runs at once, as the peers see them.
    @Suite struct ConcurrencyTests {
        @Test(arguments: [
            (jobs: 3, notes: 2, worker: 16, most: 6),
            (jobs: 3, notes: 4, worker: 5, most: 5),
            (jobs: 1, notes: 1, worker: 16, most: 1),
        ])
        func jobsAndNotesAtOnceAreBounded(_ bound: (jobs: Int, notes: Int, worker: Int, most: Int)) async throws {
            try await Installation.with(notes: 12) { installation in
                let users = (1...5).map { "user-\($0)" }
                for user in users { try await installation.addUser(user) }
                try await installation.peers.setLatency(.milliseconds(40))
                let history = try await JobHistory.begin(in: installation.pool)
                for user in users { try await installation.insertJob(user) }
                try await installation.startWorker(
                    "worker",
                    [
                        "SYNC_WORKER_CONCURRENCY": "\(bound.jobs)", "SYNC_NOTE_CONCURRENCY": "\(bound.notes)",
                        "SYNC_WORKER_NOTE_CONCURRENCY": "\(bound.worker)",
                    ]
                )
                try await installation.waitForAllJobs()
                #expect(try await installation.peers.requests().maxConcurrentWriterCalls == bound.most)
                #expect(JobHistory.mostAtOnce(try await history.runs()) == bound.jobs)
                #expect(try await installation.peers.pages().count == 60)
            }
        }
    }
}
