public import Settings
import Telemetry

extension NotificationConfiguration {
    /// What the environment says of alerts alone; the rules know no peers.
    public init(_ settings: AlertSettings) {
        self.init(isEnabled: settings.isEnabled, channels: ChannelConfiguration.all(of: settings.channels))
        kindsOff = Set(settings.kindsOff.compactMap(AlertKind.init))
        source = settings.source
        rules.userFailures = settings.userFailures
        rules.failingNotesShare = Double(settings.failingNotesPercent) / 100
        rules.userNotSyncedAfter = settings.userNotSyncedAfter
        rules.jobSnoozedAfter = settings.jobSnoozedAfter
        rules.peerDownAfter = settings.peerDownAfter
        groupWait = settings.groupWait
        repeatWindow = settings.repeatAfter
        channelLimit = settings.channelLimit
        checkInterval = settings.checkInterval
        pollInterval = min(pollInterval, max(settings.groupWait, .seconds(1)))
        timeout = settings.timeout
        maximumAttempts = settings.attempts
        allowedPrivateHosts = settings.channels.allowedPrivateHosts
    }

    /// What the environment says.
    public init(_ settings: ServiceSettings) {
        self.init(settings.alerts)
        retention = settings.worker.jobRetention
        rules.holdsUnknownCreates = settings.sync.unknownCreates == .hold
        rules.unknownLimit = settings.sync.unknownLimit
        rules.peers = [
            AlertRules.Peer(
                name: "keep_extractor",
                url: settings.peers.keepExtractorURL,
                silentAfter: settings.peers.keepExtractorTimeout
            ),
            AlertRules.Peer(
                name: "notion_writer",
                url: settings.peers.notionWriterURL,
                silentAfter: settings.peers.notionWriterTimeout
            ),
        ]
    }
}

extension ChannelConfiguration {
    /// The channels whose variables are set, by kind.
    static func all(of settings: AlertChannelSettings) -> [ChannelConfiguration] {
        var channels: [ChannelConfiguration] = settings.webhookURLs.enumerated().map { index, url in
            .webhook(url: url, secrets: Sensitive(secrets(settings.webhookSecrets, at: index)))
        }
        channels += settings.slackURLs.map { .slack(url: $0) }
        channels += settings.pagerDutyKeys.map { .pagerDuty(routingKey: $0, url: settings.pagerDutyURL) }
        channels += settings.topics.compactMap { topic in
            AWSAccess(settings, region: topic.region, endpoint: settings.snsEndpoint)
                .map { .sns(topicARN: topic.arn, access: $0) }
        }
        if let sender = settings.emailSender, let region = settings.awsRegion,
            let access = AWSAccess(settings, region: region, endpoint: settings.sesEndpoint)
        {
            channels += settings.emailRecipients.map { .email(to: $0, from: sender, access: access) }
        }
        return channels
    }

    /// One for all, or each its own; several in one are valid at a time.
    private static func secrets(_ all: [Sensitive<String>], at index: Int) -> [String] {
        let own = all.count == 1 ? all.first : all.indices.contains(index) ? all[index] : nil
        return own?.value.split(separator: ",").map(String.init) ?? []
    }
}

extension AWSAccess {
    /// Nil where there is no access key.
    fileprivate init?(_ settings: AlertChannelSettings, region: String, endpoint: String?) {
        guard let id = settings.awsAccessKeyID, let secret = settings.awsSecretAccessKey else { return nil }
        self.init(
            region: region,
            endpoint: endpoint,
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: settings.awsSessionToken
        )
    }
}
