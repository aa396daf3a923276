import ArgumentParser

/// A word of a command line that begins with a dash and is none of the command's options: the name of a user, most
/// likely.
///
/// ArgumentParser reads one dash and several letters as so many options, `-h` among them, and prints its help.
enum DashedWord {
    /// What to do with the first such word; nil if there is none that ArgumentParser does not explain itself.
    static func fault(in arguments: some Sequence<String>) -> String? {
        guard let (command, path, words) = leaf(arguments) else { return nil }
        let known = CommandWords(of: command)
        var option: String?
        for word in words {
            if word == "--" { return nil }
            // Of a number that follows an option ArgumentParser knows whether it is its value.
            if known.lacks(word), !(option != nil && isNumber(word)) { return advice(word, after: option, path, known) }
            option = word.hasPrefix("--") && !word.contains("=") ? word : nil
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

    private static func isNumber(_ word: String) -> Bool { word.dropFirst().first?.isNumber ?? false }

    /// A word that can be nothing but a mistyped option is told of as such; where it may be a name or a text, how that
    /// is given.
    private static func advice(_ word: String, after option: String?, _ path: String, _ known: CommandWords) -> String {
        let name = String(word.drop { $0 == "-" }.prefix { $0 != "=" })
        let word = word.singleLine
        var parts = ["\"\(word)\" is no option of \(path)."]
        let like = known.valuesOfArguments.contains(name) ? ["\(path) \(name)"] : known.options(like: name)
        if let option, known.optionsWithValues.contains(option) {
            return parts[0] + " As the value of an option it goes behind =, as in: \(option)=\(word)"
        }
        if !like.isEmpty { parts.append("Did you mean: \(like.joined(separator: ", "))?") }
        if known.takesNames, like.isEmpty || !word.hasPrefix("--") {
            parts.append("A name or a text that begins with a dash goes behind --, as in: \(path) -- \(word)")
        } else if like.isEmpty {
            parts.append("There are: \(known.longOptions.joined(separator: ", ")).")
        }
        return parts.joined(separator: " ")
    }
}

/// What a command takes, as its help lists it, a line each.
private struct CommandWords {
    /// All names of options, short ones too.
    private let options: Set<String>
    let longOptions: [String]
    /// Those that are followed by a value.
    let optionsWithValues: Set<String>
    /// The words that stand for themselves, as `all`.
    let valuesOfArguments: Set<String>
    /// Whether an argument may be any text.
    let takesNames: Bool

    /// Arguments that are names; others are job ids, gates and the like, none of which begins with a dash.
    private static let names: Set<Substring> = ["<user>", "<users>", "<note>", "<notes>", "<key>"]

    init(of command: any ParsableCommand.Type) {
        let help = SyncControlCommand.helpMessage(for: command, includeHidden: true, columns: 1000)
        let lines = help.split(separator: "\n")
        let entries = lines.filter { $0.hasPrefix("  -") }
        let words = entries.map { $0.split { " ,/".contains($0) } }
        options = Set(words.joined().filter { $0.hasPrefix("-") }.map(String.init))
        // That of colours is taken out before the command sees its words.
        longOptions = (words.joined().filter { $0.hasPrefix("--") }.map(String.init) + ["--color"]).sorted()
        optionsWithValues = Set(
            words.filter { $0.contains { $0.hasPrefix("<") } }.joined().filter { $0.hasPrefix("--") }.map(String.init)
        )
        let arguments = lines.filter { $0.hasPrefix("  <") }
        takesNames = arguments.contains { Self.names.contains($0.split(separator: " ")[0]) }
        valuesOfArguments = Set(
            arguments.compactMap { $0.firstMatch(of: /\(values?: ([^;)]*)/)?.1 }
                .flatMap { $0.split { ", ".contains($0) } }.map(String.init)
        )
    }

    func lacks(_ word: String) -> Bool {
        word.hasPrefix("-") && word != "-" && !options.contains(String(word.prefix { $0 != "=" }))
    }

    /// Options whose names are not far from this one.
    func options(like name: String) -> [String] {
        longOptions.filter { Likeness.isLike(name, $0.dropFirst(2)) }
    }
}
