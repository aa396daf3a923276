internal import JobQueue
internal import Logging
internal import Postgres
internal import Support

/// Without the lease, only what became of requests is recorded.
extension NoteJournal {
    /// Records what became of requests, for a job that is no longer this worker's; all else is lost.
    func flushOutcomes(of batch: [Pending], because cause: any Error) async {
        fail(batch.filter { $0.outcome == nil }, cause)
        let outcomes = batch.compactMap(\.outcome)
        guard !outcomes.isEmpty else { return }
        var failures = 0
        var withLogs = true
        while true {
            do {
                let entries = outcomes.map { $0.entry.outcomeAlone(withLogs: withLogs) }
                let batch = JournalBatch(entries)
                let before = withLogs ? [PostgresQuery.keepJob(context.job.id)] : []
                _ = try await pool.batch(
                    before + batch.locks(job: context.job, isHolder: false)
                        + batch.statements(job: context.job, isLogged: withLogs)
                )
                return conclude(outcomes, cause)
            } catch let error as PostgresError where error.isRetryable || error.isConnectionFailure {
                // The process ends: what it has heard stays unknown, which is on record.
                guard !context.abort.isRequested else {
                    tell(
                        of: outcomes,
                        "The process ends before the outcome of a write could be recorded: it is listed as unknown.",
                        error
                    )
                    return fail(outcomes, cause)
                }
                if error.sqlState == .lockNotAvailable {
                    await keepOpen(outcomes)
                    // The job's record may be what is locked, as by somebody who deletes it.
                    withLogs = false
                }
                await pause(outcomes, failures, error)
                failures += 1
            } catch  where withLogs {
                // Most likely the job has been deleted, and its log can take no more lines.
                withLogs = false
            } catch  where outcomes.count > 1 {
                for single in outcomes { await flushOutcomes(of: [single], because: cause) }
                return
            } catch {
                tell(
                    of: outcomes,
                    "The database refuses to record the outcome of a write; it is tried again for some minutes.",
                    error
                )
                fail(outcomes, error)
                return keepTrying(outcomes, refusedWith: error)
            }
        }
    }

    /// Says which pages were written, so that they can be told from those that come in their place.
    private func tell(of outcomes: [Pending], _ message: Logger.Message, _ error: any Error) {
        let pages = outcomes.compactMap(\.entry.page)
        context.logger.error(
            message,
            metadata: [
                "notes": "\(pages.map(\.noteID).joined(separator: " "))",
                "pages": "\(pages.map(\.pageID).joined(separator: " "))", "error": "\(error)",
            ]
        )
    }

    /// A right that is missing, or a trigger of somebody else's, may be put right soon: until then the requests stay
    /// open, and nobody sends the notes again. The job goes on meanwhile.
    private func keepTrying(_ outcomes: [Pending], refusedWith refusal: any Error) {
        Task {
            let end = ContinuousClock.now + Self.longestRefusal
            var refusal = refusal
            while !context.abort.isRequested, ContinuousClock.now < end {
                await keepOpen(outcomes)
                // Nobody cancels this task.
                try? await DeadlineQueue.shared.sleep(for: Self.refusalPause)
                do {
                    let batch = JournalBatch(outcomes.map { $0.entry.outcomeAlone(withLogs: false) })
                    _ = try await pool.batch(
                        batch.locks(job: context.job, isHolder: false)
                            + batch.statements(job: context.job, isLogged: false)
                    )
                    return context.logger.notice(
                        "Recorded what became of requests, which the database had refused.",
                        metadata: ["requests": "\(outcomes.count)"]
                    )
                } catch {
                    refusal = error
                }
            }
            tell(of: outcomes, "The outcome of a write was not recorded; it is listed as unknown.", refusal)
        }
    }

    /// Less than requests are kept open.
    private static let refusalPause = Duration.seconds(4)
    private static let longestRefusal = Duration.seconds(900)

    /// What became of requests is known here, and can't be recorded for now: other runs are to wait for it rather than
    /// send the notes again.
    private func keepOpen(_ outcomes: [Pending]) async {
        let requests = outcomes.compactMap { $0.entry.settled ?? $0.entry.withdrawn }
        guard !requests.isEmpty else { return }
        do {
            try await pool.execute(.keepOpen(requests, user: context.job.userID, for: .seconds(10)))
        } catch {
            context.logger.debug("Requests are not kept open.", metadata: ["error": "\(error)"])
        }
    }

    /// The outcomes are recorded; that the job is lost is what the notes are told.
    private func conclude(_ outcomes: [Pending], _ cause: any Error) {
        context.logger.notice(
            "Recorded what became of requests of a job that is no longer this worker's.",
            metadata: ["requests": "\(outcomes.count)"]
        )
        for item in outcomes { item.conclude?(.failure(cause)) }
    }

    private func fail(_ batch: [Pending], _ error: any Error) {
        for item in batch {
            if let conclude = item.conclude {
                conclude(.failure(error))
            } else {
                context.logger.info("A line of the job's log is lost.", metadata: ["error": "\(error)"])
            }
        }
    }
}
