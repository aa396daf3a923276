/// One environment variable: its name, type, default and meaning.
struct Setting<Value: Sendable>: Sendable {
    let name: String
    let type: SettingType<Value>
    /// The value when the variable is unset or empty.
    let defaultValue: Value
    let isSecret: Bool
    let description: SettingDescription

    /// A setting with a default.
    init(
        _ group: SettingDescription.Group,
        _ name: String,
        _ type: SettingType<Value>,
        default defaultValue: Value,
        secret isSecret: Bool = false,
        _ meaning: String
    ) {
        self.init(group, name, type, defaultValue, type.format(defaultValue), isSecret, meaning)
    }

    /// A setting whose value is nil, described as `defaultText`, when the variable is unset or empty.
    init<Wrapped: Sendable>(
        _ group: SettingDescription.Group,
        _ name: String,
        _ type: SettingType<Wrapped>,
        unset defaultText: String,
        secret isSecret: Bool = false,
        _ meaning: String
    ) where Value == Wrapped? {
        self.init(group, name, type.optional, nil, defaultText, isSecret, meaning)
    }

    private init(
        _ group: SettingDescription.Group,
        _ name: String,
        _ type: SettingType<Value>,
        _ defaultValue: Value,
        _ defaultText: String,
        _ isSecret: Bool,
        _ meaning: String
    ) {
        self.name = name
        self.type = type
        self.defaultValue = defaultValue
        self.isSecret = isSecret
        description = SettingDescription(
            group: group,
            name: name,
            type: type.name,
            allowed: type.allowed,
            defaultText: defaultText,
            meaning: meaning,
            isSecret: isSecret
        )
    }
}

/// What a person needs to know about an environment variable.
public struct SettingDescription: Sendable, Hashable {
    /// The part of the service a variable belongs to.
    public enum Group: String, Sendable, CaseIterable {
        case database = "Database"
        case peers = "Keep Extractor and Notion Writer"
        case worker = "Worker and queue"
        case sync = "Sync"
        case credentials = "Credentials"
        case alerts = "Alerts"
        case logs = "Logs"
        case http = "HTTP"
        case intake = "Intake"
        case system = "Set by the system"
    }

    /// The part of the service it belongs to.
    public let group: Group
    /// The variable, e.g. `SYNC_LEASE`.
    public let name: String
    /// The type in one or two words, e.g. `duration`.
    public let type: String
    /// What is allowed, as it ends the sentence "expected …".
    public let allowed: String
    /// The default as one would write it, or a word such as `none`.
    public let defaultText: String
    /// What it is for, in one sentence.
    public let meaning: String
    /// Whether the value is never shown.
    public let isSecret: Bool
}
