public import Telemetry

/// Where alerts go: one address of one kind.
public enum ChannelConfiguration: Sendable, Equatable {
    /// Anything that takes a POST of JSON. With secrets (`whsec_…`) it is signed; several while one replaces another.
    case webhook(url: Sensitive<String>, secrets: Sensitive<[String]>)
    /// Slack's incoming webhook.
    case slack(url: Sensitive<String>)
    /// PagerDuty's Events API v2, at `url` without a path.
    case pagerDuty(routingKey: Sensitive<String>, url: String)
    /// A topic of AWS SNS.
    case sns(topicARN: String, access: AWSAccess)
    /// A mail by AWS SES v2.
    case email(to: String, from: String, access: AWSAccess)

    /// The name of the kind, as channels are called by.
    var kindName: String {
        switch self {
        case .webhook: "webhook"
        case .slack: "slack"
        case .pagerDuty: "pagerduty"
        case .sns: "sns"
        case .email: "email"
        }
    }
}

/// How a service of Amazon Web Services is reached.
public struct AWSAccess: Sendable, Equatable {
    public var region: String
    /// Base URL in place of the region's own.
    public var endpoint: String?
    public var accessKeyID: String
    public var secretAccessKey: Sensitive<String>
    public var sessionToken: Sensitive<String>?

    public init(
        region: String,
        endpoint: String? = nil,
        accessKeyID: String,
        secretAccessKey: Sensitive<String>,
        sessionToken: Sensitive<String>? = nil
    ) {
        self.region = region
        self.endpoint = endpoint
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }

    /// The base URL of a service; China's regions have a domain of their own.
    func url(of service: String) -> String {
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return endpoint ?? "https://\(service).\(region).\(domain)"
    }
}
