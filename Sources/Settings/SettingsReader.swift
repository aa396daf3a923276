public import Configuration
import Telemetry

/// A reader of settings that goes on after a wrong value, so that all wrong ones are reported at once.
///
/// ```swift
/// let (database, log) = try SettingsReader.read(config) { reader in
///     (DatabaseSettings(reading: &reader), LogSettings(reading: &reader))
/// }
/// ```
public struct SettingsReader {
    private let config: ConfigReader
    private var problems: [SettingsError.Problem] = []
    /// What a person should know of values that are passed over; without secrets.
    private(set) var warnings: [String] = []

    private init(config: ConfigReader) {
        self.config = config
    }

    /// Reads the groups of settings that `body` makes.
    ///
    /// - Parameters:
    ///   - config: by default the environment of the process.
    /// - Throws: ``SettingsError`` that names every wrong variable.
    public static func read<Groups>(
        _ config: ConfigReader = ConfigReader(provider: EnvironmentVariablesProvider()),
        _ body: (inout SettingsReader) -> Groups
    ) throws(SettingsError) -> Groups {
        var reader = SettingsReader(config: config)
        let groups = body(&reader)
        guard reader.problems.isEmpty else { throw SettingsError(problems: reader.problems) }
        return groups
    }

    /// The value of `setting`: its default when the variable is unset, empty or wrong. The text of a secret one is
    /// registered with ``Redactor``.
    mutating func value<Value>(_ setting: Setting<Value>) -> Value {
        let key = ConfigKey(setting.name.lowercased().split(separator: "_").map(String.init))
        let text = config.string(forKey: key, isSecret: setting.isSecret)?.trimmingBlanks ?? ""
        guard !text.isEmpty else { return setting.defaultValue }
        if setting.isSecret, setting.type.holdsSecret(text) { Redactor.register(text) }
        guard let value = setting.type.parse(text) else {
            report(setting, text: text, expected: setting.type.allowed)
            return setting.defaultValue
        }
        return value
    }

    /// Reports that the base of a back-off is above its cap.
    mutating func check(
        _ base: Setting<Duration>,
        _ baseValue: Duration,
        notAbove cap: Setting<Duration>,
        _ limit: Duration
    ) {
        guard baseValue > limit else { return }
        report(
            base,
            text: DurationText.format(baseValue),
            expected: "at most \(cap.name), which is \(DurationText.format(limit))"
        )
    }

    /// Reports a setting that is wrong beside others; its value is not shown.
    mutating func reject<Value>(_ setting: Setting<Value>, expected: String) {
        problems.append(SettingsError.Problem(name: setting.name, value: nil, allowed: expected))
    }

    /// Says that a value is passed over, which stops nothing. Texts of a variable in it are shortened and redacted.
    mutating func warn(_ text: String) {
        warnings.append(Redactor.processWide.sanitize(text, limit: 300))
    }

    private mutating func report<Value>(_ setting: Setting<Value>, text: String, expected: String) {
        // A password may stand in an address that should have none.
        let shown = setting.isSecret ? nil : Redactor.processWide.sanitize(text, limit: 100)
        problems.append(SettingsError.Problem(name: setting.name, value: shown, allowed: expected))
    }
}

/// A group of settings that is read together.
public protocol SettingsGroup: Sendable {
    /// The group as `reader` finds it.
    init(reading reader: inout SettingsReader)
}

extension SettingsGroup {
    /// The group as it stands in `config`, by default the environment of the process.
    ///
    /// - Throws: ``SettingsError`` that names every wrong variable of the group.
    public static func load(
        from config: ConfigReader = ConfigReader(provider: EnvironmentVariablesProvider())
    ) throws(SettingsError) -> Self {
        try SettingsReader.read(config) { Self(reading: &$0) }
    }
}
