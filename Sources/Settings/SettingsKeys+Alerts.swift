import Telemetry

extension SettingsKeys {
    // MARK: Channels

    static let enableNotifications = Setting(
        .alerts,
        "ENABLE_NOTIFICATIONS",
        .flag,
        default: false,
        "Send alerts on critical errors, on every channel whose variables are set"
    )
    static let webhookURLs = Setting(
        .alerts,
        "NOTIFICATION_WEBHOOK_URL",
        .secrets(.webAddress),
        default: [],
        secret: true,
        "Webhooks that take alerts as JSON; several separated by blanks, as with all channels"
    )
    static let webhookSecrets = Setting(
        .alerts,
        "NOTIFICATION_WEBHOOK_SECRET",
        .secrets(
            .text(
                "secret",
                "whsec_ and base64; several with commas while one replaces another",
                where: WebhookSecret.isValid
            )
        ),
        default: [],
        secret: true,
        "Signs webhooks by the Standard Webhooks specification; one for all, or one each in the same order"
    )
    static let slackURLs = Setting(
        .alerts,
        "NOTIFICATION_SLACK_URL",
        .secrets(.webAddress),
        default: [],
        secret: true,
        "Slack's incoming webhooks"
    )
    static let pagerDutyKeys = Setting(
        .alerts,
        "NOTIFICATION_PAGERDUTY_KEY",
        .secrets(.text("key", "an integration key of PagerDuty's Events API v2")),
        default: [],
        secret: true,
        "PagerDuty's integration keys (routing keys)"
    )
    static let pagerDutyURL = Setting(
        .alerts,
        "NOTIFICATION_PAGERDUTY_URL",
        .baseURL(example: "https://events.pagerduty.com"),
        default: "https://events.pagerduty.com",
        "PagerDuty's address; https://events.eu.pagerduty.com for its European region"
    )
    static let topics = Setting(
        .alerts,
        "NOTIFICATION_SNS_TOPIC",
        .list(.text("ARN", "the ARN of a topic, arn:aws:sns:REGION:ACCOUNT:NAME", where: TopicARN.isValid)),
        default: [],
        "AWS SNS topics"
    )
    static let emailRecipients = Setting(
        .alerts,
        "NOTIFICATION_EMAIL_TO",
        .list(.emailAddress),
        default: [],
        "Recipients of mails by AWS SES"
    )
    static let emailSender = Setting(
        .alerts,
        "NOTIFICATION_EMAIL_FROM",
        SettingType<String>.emailAddress,
        unset: "none",
        "Sender of these mails, an identity that SES knows"
    )

    // MARK: Rules

    static let alertKindsOff = Setting(
        .alerts,
        "ALERT_KINDS_OFF",
        .list(SettingType<AlertWord>.word),
        default: [],
        "Kinds of alerts nobody is to be told of: " + AlertWord.allCases.map(\.rawValue).joined(separator: ", ")
    )
    static let alertSource = Setting(
        .alerts,
        "ALERT_SOURCE",
        .text("name", "at most 100 characters", where: { $0.count <= 100 }),
        default: "sync-service",
        "Name of this installation in alerts; give each its own where they meet in one channel"
    )
    static let alertUserFailures = Setting(
        .alerts,
        "ALERT_USER_FAILURES",
        .integer(1...100),
        default: 3,
        "Failed jobs of a user in a row that make an alert (user_failing)"
    )
    static let alertFailingNotesPercent = Setting(
        .alerts,
        "ALERT_NOTES_FAILING_PERCENT",
        .integer(0...99),
        default: 50,
        "Percentage of a completed job's notes; an alert (notes_failing) when more of them failed"
    )
    static let alertUserNotSyncedAfter = Setting(
        .alerts,
        "ALERT_USER_NOT_SYNCED_AFTER",
        SettingType.duration(.seconds(1) ... .seconds(86_400 * 365)),
        unset: "none",
        "How long a user with credentials may go without a completed job (user_not_synced); unset: for ever"
    )
    static let alertJobSnoozedAfter = Setting(
        .alerts,
        "ALERT_JOB_SNOOZED_AFTER",
        .duration(.seconds(1) ... .seconds(86_400 * 365)),
        default: .seconds(21_600),
        "How long a job may be put off at a peer's wish without running to its end (job_snoozed)"
    )
    static let alertPeerDownAfter = Setting(
        .alerts,
        "ALERT_PEER_DOWN_AFTER",
        .duration(.zero ... .seconds(86_400)),
        default: .seconds(300),
        "How long Keep Extractor or Notion Writer may be away (peer_down), or out of order (breaker_open)"
    )
    static let alertGroupWait = Setting(
        .alerts,
        "ALERT_GROUP_WAIT",
        .duration(.zero ... .seconds(3600)),
        default: .seconds(5),
        "How long an alert waits for more of its kind before it is first sent"
    )
    static let alertRepeatAfter = Setting(
        .alerts,
        "ALERT_REPEAT_AFTER",
        .duration(.seconds(1) ... .seconds(86_400 * 7)),
        default: .seconds(3600),
        "Least time between two messages on one alert; failures are over when none came for so long"
    )
    static let alertChannelLimit = Setting(
        .alerts,
        "ALERT_CHANNEL_LIMIT",
        .integer(1...10_000),
        default: 10,
        "Messages a minute on one channel; the rest is held back and counted in one message"
    )
    static let alertCheckInterval = Setting(
        .alerts,
        "ALERT_CHECK_INTERVAL",
        .duration(.milliseconds(100) ... .seconds(3600)),
        default: .seconds(60),
        "Time between two checks of users, peers and unknown creates"
    )
    static let alertTimeout = Setting(
        .alerts,
        "ALERT_TIMEOUT",
        .duration(.milliseconds(100) ... .seconds(60)),
        default: .seconds(10),
        "Longest time of one try to send an alert"
    )
    static let alertAttempts = Setting(
        .alerts,
        "ALERT_ATTEMPTS",
        .integer(1...1000),
        default: 20,
        "Tries of a message before it has failed for good; 20 take about an hour"
    )
    static let alertAllowPrivateHosts = Setting(
        .alerts,
        "ALERT_ALLOW_PRIVATE_HOSTS",
        .list(.text("host", "a host name or address without port", where: HostName.isValid)),
        default: [],
        "Hosts of channels that may have a private address and be spoken to by http://"
    )

    // MARK: Amazon Web Services

    static let awsRegion = Setting(
        .alerts,
        "AWS_REGION",
        .text("region", "a region such as eu-central-1", where: TopicARN.isRegion),
        unset: "$AWS_DEFAULT_REGION",
        "Region of SES; that of a topic stands in its ARN"
    )
    static let awsDefaultRegion = Setting(
        .alerts,
        "AWS_DEFAULT_REGION",
        .text("region", "a region such as eu-central-1", where: TopicARN.isRegion),
        unset: "none",
        "The same, where AWS_REGION is not set"
    )
    static let awsAccessKeyID = Setting(
        .alerts,
        "AWS_ACCESS_KEY_ID",
        .text("key", "the id of an access key"),
        unset: "none",
        "Access key for SNS and SES"
    )
    static let awsSecretAccessKey = Setting(
        .alerts,
        "AWS_SECRET_ACCESS_KEY",
        .secret(.text("secret", "the secret of the access key")),
        unset: "none",
        secret: true,
        "Its secret"
    )
    static let awsSessionToken = Setting(
        .alerts,
        "AWS_SESSION_TOKEN",
        .secret(.text("token", "the session token of temporary credentials")),
        unset: "none",
        secret: true,
        "Session token of temporary credentials"
    )
    static let awsEndpoint = Setting(
        .alerts,
        "AWS_ENDPOINT_URL",
        SettingType<String>.baseURL(example: "http://localhost:4566"),
        unset: "none",
        "Address in place of the region's own, for SNS and SES"
    )
    static let awsEndpointSNS = Setting(
        .alerts,
        "AWS_ENDPOINT_URL_SNS",
        SettingType<String>.baseURL(example: "http://localhost:4566"),
        unset: "$AWS_ENDPOINT_URL",
        "The same for SNS alone"
    )
    static let awsEndpointSES = Setting(
        .alerts,
        "AWS_ENDPOINT_URL_SESV2",
        SettingType<String>.baseURL(example: "http://localhost:4566"),
        unset: "$AWS_ENDPOINT_URL",
        "The same for SES alone"
    )
}
