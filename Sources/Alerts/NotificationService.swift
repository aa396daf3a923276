public import CurlHTTP
import Foundation
public import Logging
public import ServiceLifecycle

/// Alerts of jobs that failed for good, posted to a webhook one after the other.
///
/// Reporting never fails and never waits for the webhook: alerts queue up, up to a limit, and ``run()`` delivers
/// them. An alert may arrive twice when an answer was lost. On a graceful shutdown those in the queue still go out.
public actor NotificationService: Service {
    private let configuration: NotificationConfiguration
    private let http: HTTPClient
    private let logger: Logger
    private let queue: AsyncStream<JobFailureAlert>
    private let entrance: AsyncStream<JobFailureAlert>.Continuation

    public init(configuration: NotificationConfiguration, http: HTTPClient, logger: Logger) {
        self.configuration = configuration
        self.http = http
        var logger = logger
        logger[metadataKey: "webhook"] = "\(WebhookOrigin.name(of: configuration.webhookURL))"
        self.logger = logger
        (queue, entrance) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(max(configuration.queueLimit, 1)))
        if configuration.isEnabled, configuration.activeWebhookURL == nil {
            logger.warning("alerts are enabled, but there is no webhook to send them to")
        }
    }

    /// Queues an alert; does nothing where alerts are off.
    public func jobFailed(_ alert: JobFailureAlert) async {
        guard configuration.activeWebhookURL != nil else { return }
        switch entrance.yield(alert) {
        case .enqueued: break
        case .dropped: logger.error("alert dropped: the queue is full", metadata: Self.metadata(alert))
        case .terminated: logger.error("alert dropped: the service has stopped", metadata: Self.metadata(alert))
        @unknown default: break
        }
    }

    /// Delivers alerts until a graceful shutdown, and then those that are left, or until cancelled.
    public func run() async throws {
        await withGracefulShutdownHandler {
            for await alert in queue { await deliver(alert) }
        } onGracefulShutdown: { [entrance] in
            entrance.finish()
        }
    }

    private enum Outcome {
        case delivered
        case failed(reason: String, isWorthRepeating: Bool, wait: Duration?)
    }

    private func deliver(_ alert: JobFailureAlert) async {
        let attempts = max(configuration.maximumAttempts, 1)
        for attempt in 1...attempts {
            guard case .failed(let reason, let isWorthRepeating, let wait) = await post(alert) else { return }
            var metadata = Self.metadata(alert)
            metadata["attempt"] = "\(attempt)"
            metadata["reason"] = "\(reason)"
            guard isWorthRepeating, attempt < attempts, !Task.isCancelled else {
                return logger.error("alert not delivered", metadata: metadata)
            }
            logger.warning("alert not delivered yet, trying again", metadata: metadata)
            do {
                try await Task.sleep(for: backoff(afterAttempt: attempt, wait: wait))
            } catch {
                return logger.error("alert not delivered: stopped while waiting to try again", metadata: metadata)
            }
        }
    }

    private func post(_ alert: JobFailureAlert) async -> Outcome {
        guard let url = configuration.activeWebhookURL else { return .delivered }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let request = HTTPRequest(
                method: .post,
                url: url,
                headers: ["Content-Type": "application/json"],
                body: Array(try encoder.encode(WebhookMessage(alert))),
                timeout: configuration.timeout
            )
            let response = try await http.execute(request)
            if response.isSuccess { return .delivered }
            let isWorthRepeating = response.status >= 500 || response.status == 429 || response.status == 408
            return .failed(
                reason: "status \(response.status)",
                isWorthRepeating: isWorthRepeating,
                wait: response.retryAfter
            )
        } catch let error as CurlHTTPError {
            // The message names the URL, which is secret here; the reason does not.
            return .failed(
                reason: "\(error.code): \(error.reason)",
                isWorthRepeating: error.code != .invalidRequest && error.code != .shutDown,
                wait: nil
            )
        } catch {
            return .failed(reason: "\(type(of: error))", isWorthRepeating: false, wait: nil)
        }
    }

    /// Full jitter: anything up to the doubled bound, but no less than the webhook asks for.
    private func backoff(afterAttempt attempt: Int, wait: Duration?) -> Duration {
        let bound = min(configuration.backoffBase * (1 << min(attempt - 1, 20)), configuration.backoffLimit)
        return min(max(bound * Double.random(in: 0...1), wait ?? .zero), configuration.backoffLimit)
    }

    private static func metadata(_ alert: JobFailureAlert) -> Logger.Metadata {
        ["job_id": "\(alert.jobID.uuidString.lowercased())", "user_id": "\(alert.userID)"]
    }
}
