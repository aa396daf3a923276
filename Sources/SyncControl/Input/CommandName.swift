import ArgumentParser

/// The names of the commands, as they are typed.
enum CommandName {
    /// Why the words of a command line name no command, with those there are; nil if they name one, or ArgumentParser
    /// is to say what is wrong.
    static func fault(in arguments: some Sequence<String>) -> String? {
        var command: any ParsableCommand.Type = SyncControlCommand.self
        var path = [name(of: command)]
        for word in arguments {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty, !word.hasPrefix("-") else { return nil }
            if word == "help", path.count == 1 { continue }
            guard let next = subcommand(word, of: command) else {
                let known = subcommands.map(name).joined(separator: ", ")
                let like = likes(of: word, among: subcommands, path)
                let meant = (paths(to: word) ?? like).map { " Did you mean: \($0)?" } ?? ""
                return
                    "There is no command \"\((path + [word]).joined(separator: " ").singleLine)\".\(meant) There are: \(known)."
            }
            command = next
            path.append(word)
        }
        return nil
    }

    /// The commands here whose names are not far from a word, as they are typed; nil if there is none.
    private static func likes(
        of word: String,
        among commands: [any ParsableCommand.Type],
        _ path: [String]
    ) -> String? {
        let like = commands.map(name).filter { Likeness.isLike(word.lowercased(), $0) }
        return like.isEmpty ? nil : like.map { (path + [$0]).joined(separator: " ") }.joined(separator: ", ")
    }

    /// The commands of that name, wherever they are, as they are typed; nil if there is none.
    private static func paths(to word: String) -> String? {
        func search(_ command: any ParsableCommand.Type, _ path: [String]) -> [String] {
            command.configuration.subcommands.flatMap { next -> [String] in
                let own = path + [name(of: next)]
                return (name(of: next) == word ? [own.joined(separator: " ")] : []) + search(next, own)
            }
        }
        let found = search(SyncControlCommand.self, [name(of: SyncControlCommand.self)])
        return found.isEmpty ? nil : found.joined(separator: ", ")
    }

    static func name(of command: any ParsableCommand.Type) -> String { command.configuration.commandName ?? "" }

    static func subcommand(_ word: String, of command: any ParsableCommand.Type) -> (any ParsableCommand.Type)? {
        command.configuration.subcommands.first { name(of: $0) == word }
    }
}
