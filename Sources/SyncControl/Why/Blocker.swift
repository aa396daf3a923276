import JobQueue

extension WhyReason.Blocker {
    init(_ pause: Pause) {
        self.init(
            kind: "pause",
            fields: [
                ("scope", .string(pause.scope.kind)), ("key", .string(pause.scope.key.isEmpty ? nil : pause.scope.key)),
                ("paused_by", .string(pause.pausedBy)), ("paused_at", .time(pause.pausedAt)),
                ("paused_until", .time(pause.pausedUntil)), ("reason", .string(pause.reason)),
            ]
        )
    }

    init(_ gate: ClosedGate) {
        self.init(
            kind: "gate",
            fields: [
                ("gate", .string(gate.name)), ("out_of_order_since", .time(gate.outOfOrderSince)),
                ("closed_at", .time(gate.closedAt)), ("closed_until", .time(gate.closedUntil)),
                ("closed_by", .string(gate.closedBy)), ("reason", .string(gate.reason)),
            ]
        )
    }

    init(_ last: LastWorker) {
        switch last {
        case .heard(let worker): self.init(worker)
        case .stopped(let worker):
            self.init(
                kind: "worker",
                fields: [("worker", .string(worker.name)), ("stopped_at", .time(worker.stoppedAt))]
            )
        }
    }

    init(_ worker: WorkerRecord) {
        self.init(
            kind: "worker",
            fields: [
                ("worker", .string(worker.name)), ("instance", .string(worker.instance.description)),
                ("last_seen_at", .time(worker.lastSeenAt)), ("is_silent", .bool(worker.isSilent)),
                ("running", .int(worker.busy)), ("slots", .int(worker.slots)),
            ]
        )
    }

    init(_ job: JobRecord) {
        self.init(kind: "job", fields: Self.fields(job))
    }

    init(_ run: JobRun) {
        self.init(
            kind: "job",
            fields: Self.fields(run.job) + [
                ("last_progress_at", .time(run.lastProgressAt)), ("lease_ends_at", .time(run.leaseEndsAt)),
            ]
        )
    }

    private static func fields(_ job: JobRecord) -> [(name: String, value: JSONValue)] {
        [
            ("job_id", .string(job.id.description)), ("status", .string(job.status.rawValue)),
            ("worker", .string(job.worker)), ("run_at", .time(job.runAt)), ("started_at", .time(job.startedAt)),
            ("attempt", .int(job.attempt)), ("max_attempts", .int(job.maximumAttempts)),
            ("total_notes", .int(job.totalNotes)), ("processed_notes", .int(job.processedNotes)),
            ("failed_notes", .int(job.failedNotes)),
        ]
    }
}
