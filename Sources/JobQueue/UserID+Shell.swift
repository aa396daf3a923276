internal import Foundation
internal import Support

// Users' names come from outside, and a command in a message is made to be pasted into a shell.

/// A text as one word of a shell's command.
public enum ShellWord {
    /// The text, quoted where a shell would take it for more than a word or for a variable.
    ///
    /// A word with characters that nobody sees is written as `$'…'` of bash, zsh and ksh, with their bytes in octal:
    /// where messages are shown, such characters are left out or made visible, and the word would be another one.
    public static func quoted(_ text: String) -> String {
        if text.unicodeScalars.contains(where: isInvisible) { return "$'" + escaped(text) + "'" }
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
        // By scalars: a quote with an accent on it is another character, and a quote all the same.
        return isPlain ? text : "'" + text.unicodeScalars.map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'"
    }

    /// The text as a list for people shows it: as it is, or quoted where it has characters that nobody sees, so that
    /// it can be pasted into a command.
    public static func shown(_ text: String) -> String {
        text.unicodeScalars.contains(where: isInvisible) ? quoted(text) : text
    }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "'", "\\": "\\\(scalar)"
            case _ where isInvisible(scalar):
                UTF8.encode(scalar)?.map { String(format: "\\%03o", $0) }.joined() ?? ""
            default: String(scalar)
            }
        }.joined()
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

    /// A command with this user as the value of its option `--user`, to be pasted into a shell.
    public func shellCommand(withOption command: String) -> String {
        "\(command) --user\(rawValue.hasPrefix("-") ? "=" : " ")\(ShellWord.quoted(rawValue))"
    }
}
