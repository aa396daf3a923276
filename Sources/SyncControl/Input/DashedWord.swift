import ArgumentParser

/// A word of a command line that begins with a dash and is none of the command's options: the name of a user, most
/// likely.
///
/// ArgumentParser reads one dash and several letters as so many options, `-h` among them, and prints its help.
enum DashedWord {
    /// What to do with the first such word; nil if there is none that ArgumentParser does not explain itself.
    static func fault(in arguments: some Sequence<String>) -> String? {
        guard let (command, path, words) = leaf(arguments) else { return nil }
        let options = options(of: command)
        var isAfterOption = false
        for word in words {
            if word == "--" { return nil }
            // Of a number that follows an option ArgumentParser knows whether it is its value.
            if isUnknown(word, options), !(isAfterOption && isNumber(word)) { return advice(word, path) }
            isAfterOption = word.hasPrefix("--") && !word.contains("=")
        }
        return nil
    }

    /// The command that the words name, as they are typed, and what follows; nil for one that has commands itself.
    private static func leaf(
        _ arguments: some Sequence<String>
    ) -> (command: any ParsableCommand.Type, path: String, rest: ArraySlice<String>)? {
        var command: any ParsableCommand.Type = SyncControlCommand.self
        var path = [CommandName.name(of: command)]
        var rest = Array(arguments)[...]
        while let word = rest.first, let next = CommandName.subcommand(word, of: command) {
            command = next
            path.append(word)
            rest = rest.dropFirst()
        }
        return command.configuration.subcommands.isEmpty ? (command, path.joined(separator: " "), rest) : nil
    }

    /// The options of a command, as its help lists them, a line each.
    private static func options(of command: any ParsableCommand.Type) -> Set<Substring> {
        let help = SyncControlCommand.helpMessage(for: command, includeHidden: true, columns: 1000)
        let lines = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
        return Set(lines.flatMap { $0.split { " ,/".contains($0) } }.filter { $0.hasPrefix("-") })
    }

    private static func isUnknown(_ word: String, _ options: Set<Substring>) -> Bool {
        word.hasPrefix("-") && word != "-" && !options.contains(word.prefix { $0 != "=" })
    }

    private static func isNumber(_ word: String) -> Bool { word.dropFirst().first?.isNumber ?? false }

    private static func advice(_ word: String, _ path: String) -> String {
        let word = word.singleLine
        return
            "\"\(word)\" is no option of \(path). A name or a text that begins with a dash goes behind --, as in: \(path) -- \(word) — or, as "
            + "the value of an option, behind =, as in: --user=\(word)"
    }
}
