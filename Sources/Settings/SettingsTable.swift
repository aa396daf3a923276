/// The settings as text, for `--help` and README.
public enum SettingsTable {
    /// An aligned list of the settings of `groups`, at most `width` columns wide.
    public static func text(
        groups: [SettingDescription.Group] = SettingDescription.Group.allCases,
        width: Int = 78
    ) -> String {
        groups.map { group in
            let settings = SettingsKeys.all.filter { $0.group == group }
            return "\(group.rawValue):\n" + settings.map { entry($0, width: width) }.joined()
        }.joined(separator: "\n")
    }

    /// A Markdown table of the settings of `groups`.
    public static func markdown(
        groups: [SettingDescription.Group] = SettingDescription.Group.allCases
    ) -> String {
        let rows = SettingsKeys.all.filter { groups.contains($0.group) }.map {
            "| `\($0.name)` | \(cell($0.type)) | \(cell(code($0.defaultText))) | \(cell($0.meaning)) |\n"
        }
        return "| variable | type | default | meaning |\n|---|---|---|---|\n" + rows.joined()
    }

    private static func entry(_ setting: SettingDescription, width: Int) -> String {
        let body = "\(setting.meaning) (\(setting.type); default: \(setting.defaultText))"
        let lines = wrapped(body, width: max(20, width - 6)).map { "      \($0)\n" }
        return "  \(setting.name)\n" + lines.joined()
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            if let line = lines.last, !line.isEmpty, line.count + 1 + word.count > width { lines.append("") }
            lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
        }
        return lines
    }

    private static func code(_ text: String) -> String {
        text.contains(",") || ["none", "generated"].contains(text) ? text : "`\(text)`"
    }

    private static func cell(_ text: String) -> String { text.split(separator: "|").joined(separator: "\\|") }
}
