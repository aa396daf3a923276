/// How log lines look.
public enum LogFormat: String, CaseIterable, Sendable {
    /// Aligned lines for people.
    case human
    /// One JSON object a line, for programs.
    case json
}
