public import Telemetry

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The settings of alerts.
public struct AlertSettings: SettingsGroup {
    /// Whether alerts are sent.
    public var isEnabled: Bool
    public var channels: AlertChannelSettings
    /// Kinds nobody is to be told of.
    public var kindsOff: Set<String>
    /// Name of the installation.
    public var source: String
    /// Failed jobs of a user in a row.
    public var userFailures: Int
    /// Percentage of a completed job's notes of which more must have failed.
    public var failingNotesPercent: Int
    /// How long a user may go without a completed job; nil: for ever.
    public var userNotSyncedAfter: Duration?
    /// How long a job may be put off.
    public var jobSnoozedAfter: Duration
    /// How long a peer may be away.
    public var peerDownAfter: Duration
    /// Wait before an alert is first sent.
    public var groupWait: Duration
    /// Least time between two messages on one alert.
    public var repeatAfter: Duration
    /// Messages a minute on a channel.
    public var channelLimit: Int
    /// Time between two checks.
    public var checkInterval: Duration
    /// Longest time of a try.
    public var timeout: Duration
    /// Tries of a message.
    public var attempts: Int

    public init(reading reader: inout SettingsReader) {
        isEnabled = reader.value(SettingsKeys.enableNotifications)
        channels = AlertChannelSettings(reading: &reader)
        kindsOff = Set(reader.value(SettingsKeys.alertKindsOff))
        source = reader.value(SettingsKeys.alertSource)
        userFailures = reader.value(SettingsKeys.alertUserFailures)
        failingNotesPercent = reader.value(SettingsKeys.alertFailingNotesPercent)
        userNotSyncedAfter = reader.value(SettingsKeys.alertUserNotSyncedAfter)
        jobSnoozedAfter = reader.value(SettingsKeys.alertJobSnoozedAfter)
        peerDownAfter = reader.value(SettingsKeys.alertPeerDownAfter)
        groupWait = reader.value(SettingsKeys.alertGroupWait)
        repeatAfter = reader.value(SettingsKeys.alertRepeatAfter)
        channelLimit = reader.value(SettingsKeys.alertChannelLimit)
        checkInterval = reader.value(SettingsKeys.alertCheckInterval)
        timeout = reader.value(SettingsKeys.alertTimeout)
        attempts = reader.value(SettingsKeys.alertAttempts)
        // What is not used need not be right.
        if isEnabled { channels.check(&reader) }
    }
}

/// The addresses of alerts, each list in the order of its variable.
public struct AlertChannelSettings: SettingsGroup {
    /// Webhooks; whoever knows one can post to it.
    public var webhookURLs: [Sensitive<String>]
    /// Secrets of signed webhooks: none, one for all, or one each; several in one separated by commas.
    public var webhookSecrets: [Sensitive<String>]
    /// Slack's incoming webhooks.
    public var slackURLs: [Sensitive<String>]
    /// PagerDuty's integration keys.
    public var pagerDutyKeys: [Sensitive<String>]
    /// PagerDuty's address, without a slash at its end.
    public var pagerDutyURL: String
    /// SNS topics and their regions.
    public var topics: [(arn: String, region: String)]
    /// Recipients of mails.
    public var emailRecipients: [String]
    /// Sender of mails.
    public var emailSender: String?
    /// Region of SES.
    public var awsRegion: String?
    public var awsAccessKeyID: String?
    public var awsSecretAccessKey: Sensitive<String>?
    public var awsSessionToken: Sensitive<String>?
    /// Address of SNS in place of the region's own.
    public var snsEndpoint: String?
    /// Address of SES in place of the region's own.
    public var sesEndpoint: String?
    /// Hosts, in lower case, that may be private and spoken to by plain HTTP.
    public var allowedPrivateHosts: Set<String>

    public init(reading reader: inout SettingsReader) {
        webhookURLs = reader.value(SettingsKeys.webhookURLs)
        webhookSecrets = reader.value(SettingsKeys.webhookSecrets)
        slackURLs = reader.value(SettingsKeys.slackURLs)
        pagerDutyKeys = reader.value(SettingsKeys.pagerDutyKeys)
        pagerDutyURL = reader.value(SettingsKeys.pagerDutyURL)
        topics = reader.value(SettingsKeys.topics).map { ($0, TopicARN.region(of: $0) ?? "") }
        emailRecipients = reader.value(SettingsKeys.emailRecipients)
        emailSender = reader.value(SettingsKeys.emailSender)
        let region = reader.value(SettingsKeys.awsRegion)
        let defaultRegion = reader.value(SettingsKeys.awsDefaultRegion)
        awsRegion = region ?? defaultRegion
        awsAccessKeyID = reader.value(SettingsKeys.awsAccessKeyID)
        awsSecretAccessKey = reader.value(SettingsKeys.awsSecretAccessKey)
        awsSessionToken = reader.value(SettingsKeys.awsSessionToken)
        let endpoint = reader.value(SettingsKeys.awsEndpoint)
        snsEndpoint = reader.value(SettingsKeys.awsEndpointSNS) ?? endpoint
        sesEndpoint = reader.value(SettingsKeys.awsEndpointSES) ?? endpoint
        allowedPrivateHosts = Set(
            reader.value(SettingsKeys.alertAllowPrivateHosts).map(HostName.bare)
        )
        // The reader has registered the variables whole; what may turn up somewhere are their parts.
        for secret in webhookURLs + webhookSecrets + slackURLs + pagerDutyKeys {
            secret.value.split(separator: ",").forEach { Redactor.register(String($0)) }
            Redactor.register(secret.value)
        }
    }

    /// Reports what does not go together.
    func check(_ reader: inout SettingsReader) {
        warnOfRefusedWebhooks(&reader)
        checkScheme(slackURLs.map(\.value), SettingsKeys.slackURLs, &reader)
        if !pagerDutyKeys.isEmpty { checkScheme([pagerDutyURL], SettingsKeys.pagerDutyURL, &reader) }
        if !topics.isEmpty { checkScheme([snsEndpoint].compactMap(\.self), SettingsKeys.awsEndpointSNS, &reader) }
        if !emailRecipients.isEmpty {
            checkScheme([sesEndpoint].compactMap(\.self), SettingsKeys.awsEndpointSES, &reader)
        }
        if webhookSecrets.count > 1, webhookSecrets.count != webhookURLs.count {
            reader.reject(
                SettingsKeys.webhookSecrets,
                expected: "one for all webhooks, or as many as there are in \(SettingsKeys.webhookURLs.name)"
            )
        }
        checkAWS(&reader)
    }

    private func checkAWS(_ reader: inout SettingsReader) {
        if !emailRecipients.isEmpty {
            let use = "set, as \(SettingsKeys.emailRecipients.name) is"
            if emailSender == nil { reader.reject(SettingsKeys.emailSender, expected: "it \(use)") }
            if awsRegion == nil { reader.reject(SettingsKeys.awsRegion, expected: "it \(use)") }
        }
        guard !topics.isEmpty || !emailRecipients.isEmpty else { return }
        let use = "it set, as SNS or SES is to be used; credentials of a container or an instance are not read"
        if awsAccessKeyID == nil { reader.reject(SettingsKeys.awsAccessKeyID, expected: use) }
        if awsSecretAccessKey == nil { reader.reject(SettingsKeys.awsSecretAccessKey, expected: use) }
    }

    /// The replaced service took webhooks by plain HTTP. Such a channel refuses its messages, and syncing goes on.
    private func warnOfRefusedWebhooks(_ reader: inout SettingsReader) {
        for host in webhookURLs.compactMap({ hostWithoutTLS(in: $0.value) }) {
            reader.warn(
                "\(SettingsKeys.webhookURLs.name) has an http:// address at \(host): the channel sends nothing there. "
                    + "Use https://, or name the host in \(SettingsKeys.alertAllowPrivateHosts.name)"
            )
        }
    }

    /// The host of an address that is not https and not allowed to be; nil for any other address.
    private func hostWithoutTLS(in url: String) -> String? {
        guard let parts = URLComponents(string: url), parts.scheme?.lowercased() != "https" else { return nil }
        let host = HostName.bare(parts.host ?? "")
        return allowedPrivateHosts.contains(host) ? nil : host
    }

    private func checkScheme<Value>(_ urls: [String], _ setting: Setting<Value>, _ reader: inout SettingsReader) {
        guard urls.contains(where: { hostWithoutTLS(in: $0) != nil }) else { return }
        reader.reject(
            setting,
            expected: "https://, or http:// to a host that \(SettingsKeys.alertAllowPrivateHosts.name) names"
        )
    }
}
