// Users' names come from outside, and a command in a message is made to be pasted into a shell.

/// A text as one word of a shell's command.
public enum ShellWord {
    /// The text, in single quotes where a shell would take it for more than a word or for a variable.
    public static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"):
                    true
                default: "_@%+:,./-".utf8.contains(byte)
                }
            }
        return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}

extension UserID {
    /// A command about this user, to be pasted into a shell.
    ///
    /// - Parameters:
    ///   - command: with the words before the user's name.
    ///   - options: go behind the name, or before it where the name looks like an option itself.
    public func shellCommand(_ command: String, _ options: String = "") -> String {
        let name = ShellWord.quoted(rawValue)
        let words = rawValue.hasPrefix("-") ? [command, options, "--", name] : [command, name, options]
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }
}
