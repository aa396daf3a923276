internal import Logging
internal import Postgres
internal import Support

/// Results that the database refuses.
extension Completer {
    /// One result that the database refuses must not take the others with it: halves the batch until that one is alone,
    /// and records less and less of it; at last only that it was refused, which is a failed attempt. If that is refused
    /// too, gives it up: its lease is renewed no longer, so another worker rescues the job. Where no value is at fault
    /// that is done only once another result has been recorded; until then each waits.
    func narrowDown(_ batch: [PendingResult], refusedWith error: PostgresError, _ company: Company) async {
        guard var single = batch.first, batch.count == 1 else {
            let half = batch.count / 2
            await flush(Array(batch[..<half]), freeing: 0, company)
            await flush(Array(batch[half...]), freeing: 0, company)
            return
        }
        if !error.isAboutValues, !isFault(of: single) { await findOutWhetherOthersComplete(single) }
        guard error.isAboutValues || isFault(of: single) else { return putBack(single, refusedWith: error) }
        guard reduce(&single, because: "\(error)") else { return }
        await flush([single], freeing: 0, company)
    }

    /// - Returns: false if there was nothing left to leave out, and the result is given up.
    func reduce(_ single: inout PendingResult, because reason: String) -> Bool {
        let before = single.finish.reduction
        if single.finish.reduce(refusedWith: reason) {
            tell(of: single, before, reason)
            return true
        }
        logger.error(
            "The database refuses the result of a job, which is given up; the job is rescued when its lease runs out.",
            metadata: ["job": "\(single.finish.id)", "error": "\(reason)"]
        )
        running.replace([(single.finish.id, single.finish.lease)], by: [])
        single.conclude(abandoned())
        return false
    }

    private func tell(of waiting: PendingResult, _ before: JobFinishReduction, _ error: String) {
        if waiting.finish.reduction == .attempt {
            logger.error(
                "The database refuses every result of a job; the job is postponed for some minutes.",
                metadata: ["job": "\(waiting.finish.id)", "error": "\(error)"]
            )
            return
        }
        let text =
            switch (before, waiting.finish.reduction) {
            case (.none, _):
                "The database refuses the result of a job; it is tried without its line in the log, and with its error shortened."
            case (.outcome, _), (_, .alert):
                "The database refuses the result of a job; it is tried without an alert."
            default:
                "The database refuses the result of a job; that is to be a failed attempt."
            }
        logger.warning("\(text)", metadata: ["job": "\(waiting.finish.id)", "error": "\(error)"])
    }

    /// Whether a result is refused while others are recorded, or could be a moment ago: a missing right of the role,
    /// for example, keeps all from it.
    private func isFault(of waiting: PendingResult) -> Bool { results.wereRecorded(since: waiting.refusedSince) }

    /// Where the results of all slots are refused, nothing is recorded that would show whose fault it is: then what
    /// other workers have recorded shows it, or jobs that wait are tried in their place.
    private func findOutWhetherOthersComplete(_ waiting: PendingResult) async {
        guard let since = waiting.refusedSince, .now - since > PendingResults.refusalPause * 2,
            results.mayTryOthers()
        else { return }
        do {
            if try await claimer.refused.isAnyCompletable(since: .now - since) { results.othersComplete() }
        } catch {
            logger.debug("Whether other jobs could complete was not found out.", metadata: ["error": "\(error)"])
        }
    }

    private func putBack(_ waiting: PendingResult, refusedWith error: PostgresError) {
        failure.log(logger, ["job": "\(waiting.finish.id)", "error": "\(error)"])
        haveFailed()
        var waiting = waiting
        waiting.refusedAt = .now
        waiting.refusedSince = waiting.refusedSince ?? waiting.refusedAt
        results.addBlocked([waiting])
    }
}
