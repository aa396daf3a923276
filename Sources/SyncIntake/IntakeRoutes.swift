import HTTPTypes
import Hummingbird
import JobQueue
import Logging
import NIOCore
import StatusAPI
import Support

/// The two calls of the gateway and the admin interface that change something.
///
/// The gateway takes an error for a failed start and marks its job `failed`, but waits five seconds for an answer: a
/// start waits for a database that is away, within that time.
struct IntakeRoutes: Sendable {
    let queue: IntakeQueue
    let callers: CallerPolicy
    let refusals: RefusalLog
    let logger: Logger

    private static let execute: RouterPath = "/internal/sync/execute"
    private static let abort: RouterPath = "/internal/sync/abort/{job_id}"
    static let all = [APIRoute(execute, [.post]), APIRoute(abort, [.post])]

    /// Longest time from the head of a start to its answer.
    private static let startTimeout = Duration.seconds(4)

    func add(to router: Router<APIContext>) {
        router.post(Self.execute) { request, context in
            refusals.note(try await execute(request, context), to: request)
        }
        router.post(Self.abort) { request, context in
            refusals.note(try await abort(request, context), to: request)
        }
    }

    private func execute(_ request: Request, _ context: APIContext) async throws -> Response {
        let deadline = ContinuousClock.now + Self.startTimeout
        if let refusal = callers.refusal(of: request) { return refusal }
        let start: StartRequest
        do {
            start = try StartRequest(
                json: try await request.body(until: deadline),
                contentType: request.headers[.contentType]
            )
        } catch let error as InvalidBody {
            return .json(error.json, status: .unprocessableContent)
        } catch is BodyTooLarge {
            context.closeAfterAnswer()
            return .bodyTooLarge
        } catch is BodyCutShort {
            return .detail("The body ended early", status: .badRequest)
        } catch is BodyTooSlow {
            context.closeAfterAnswer()
            return .detail("The body did not arrive in time", status: .requestTimeout)
        }
        try await enqueue(start, until: deadline)
        return .json([
            "job_id": .string("\(start.job)"),
            "status": "queued",
            "summary": ["message": "Sync job queued successfully"],
            "error": .null,
        ])
    }

    private func enqueue(_ start: StartRequest, until deadline: ContinuousClock.Instant) async throws {
        do {
            let isNew = try await queue.enqueue(start, until: deadline)
            logger.info(
                isNew ? "Put a job into the queue." : "A start of a job that is in the table already.",
                metadata: [
                    "job_id": "\(start.job)", "user": "\(start.user)", "full_sync": "\(start.isFullSync)",
                ]
            )
        } catch let error as DatabaseAway {
            logger.warning(
                "A start was refused as the database cannot be used; the gateway marks such a job as failed.",
                metadata: [
                    "job_id": "\(start.job)", "user": "\(start.user)", "answer": "\(error.detail)",
                    "error": "\(error.cause)",
                ]
            )
            throw error
        }
    }

    private func abort(_ request: Request, _ context: APIContext) async throws -> Response {
        if let refusal = callers.refusal(of: request) { return refusal }
        guard let job = JobID(parsing: try context.parameters.require("job_id")) else {
            throw BadRequest(detail: "Invalid job_id format")
        }
        switch try await queue.cancel(job) {
        case .cancelled:
            logger.notice("Cancelled a job as asked.", metadata: ["job_id": "\(job)"])
            return .json([
                "job_id": .string("\(job)"), "status": "cancelled", "message": "Sync job has been cancelled",
            ])
        case .ended(let status):
            throw BadRequest(detail: "Cannot abort job with status '\(status.rawValue)'")
        case .notFound:
            return .detail("Sync job \(job) not found", status: .notFound)
        }
    }
}

private struct BodyTooLarge: Error {}
private struct BodyTooSlow: Error {}
private struct BodyCutShort: Error {}

extension Request {
    /// The whole body, once it has arrived.
    ///
    /// - Throws: `BodyTooLarge`, `BodyTooSlow`; `BodyCutShort` if the caller has gone.
    fileprivate func body(until deadline: ContinuousClock.Instant) async throws -> ByteBuffer {
        let body = body
        return try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
            group.addTask {
                do {
                    return try await body.collect(upTo: StartRequest.maximumBytes)
                } catch is NIOTooManyBytesError {
                    throw BodyTooLarge()
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    throw BodyCutShort()
                }
            }
            group.addTask {
                try await DeadlineQueue.shared.sleep(until: deadline)
                return nil
            }
            // The body is read by one task at a time: the group ends the reader before anything else touches it.
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else { throw BodyTooSlow() }
            return bytes
        }
    }
}
