/// Where alerts go, and how hard they are tried.
public struct NotificationConfiguration: Sendable {
    /// Whether alerts are sent at all.
    public var isEnabled: Bool
    /// Address that takes an alert by POST. A secret: whoever knows it can post.
    public var webhookURL: String?
    /// Tries per alert, at least one.
    public var maximumAttempts: Int
    /// Longest time of one try.
    public var timeout: Duration
    /// Longest wait before the second try; it doubles with each further one.
    public var backoffBase: Duration
    /// Bound of every wait, also of one that the webhook asks for.
    public var backoffLimit: Duration
    /// Alerts that wait; further ones are dropped, with a line in the log.
    public var queueLimit: Int

    public init(
        isEnabled: Bool,
        webhookURL: String?,
        maximumAttempts: Int = 3,
        timeout: Duration = .seconds(10),
        backoffBase: Duration = .seconds(1),
        backoffLimit: Duration = .seconds(30),
        queueLimit: Int = 100
    ) {
        self.isEnabled = isEnabled
        self.webhookURL = webhookURL
        self.maximumAttempts = maximumAttempts
        self.timeout = timeout
        self.backoffBase = backoffBase
        self.backoffLimit = backoffLimit
        self.queueLimit = queueLimit
    }

    /// The address, if alerts are to be sent there.
    var activeWebhookURL: String? {
        guard isEnabled, let webhookURL, !webhookURL.isEmpty else { return nil }
        return webhookURL
    }
}

extension NotificationConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        "NotificationConfiguration(isEnabled: \(isEnabled), webhook: \(WebhookOrigin.name(of: webhookURL)))"
    }

    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
