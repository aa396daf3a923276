/// The channels of a configuration, named by kind: `slack`, then `slack-2` and so on.
enum ChannelList {
    static func make(_ configurations: [ChannelConfiguration]) -> [any AlertChannel] {
        var counts: [String: Int] = [:]
        return configurations.map { configuration in
            let kind = configuration.kindName
            counts[kind, default: 0] += 1
            let number = counts[kind] ?? 1
            return channel(configuration, name: number == 1 ? kind : "\(kind)-\(number)")
        }
    }

    private static func channel(_ configuration: ChannelConfiguration, name: String) -> any AlertChannel {
        switch configuration {
        case .webhook(let url, let secrets): WebhookChannel(name: name, url: url, secrets: secrets)
        case .slack(let url): SlackChannel(name: name, url: url)
        case .pagerDuty(let key, let url): PagerDutyChannel(name: name, routingKey: key, url: url)
        case .sns(let topic, let access): SNSChannel(name: name, topicARN: topic, access: access)
        case .email(let to, let from, let access): EmailChannel(name: name, to: to, from: from, access: access)
        }
    }
}
