import ServiceHealth

/// The first line of the status page: what is wrong and what to do, the worst first. The rest stands below it.
enum VerdictSection {
    static func html(_ verdict: Verdict) -> HTML {
        let headline = verdict.headline
        let others = verdict.findings.dropFirst().map { finding -> HTML in
            "<li class=\"\(finding.severity.rawValue)\" data-code=\"\(finding.code.rawValue)\">\(words(finding))</li>"
        }
        let rest: HTML = others.isEmpty ? "" : "<ul>\(others.joined())</ul>"
        // Whoever hears the page is told at once of what is wrong, and of the rest in turn.
        let role = headline.severity == .wrong ? "alert" : "status"
        return """
            <section id="verdict" class="verdict \(headline.severity.rawValue)" aria-label="Verdict">
            <p role="\(role)" data-code="\(headline.code.rawValue)"><strong>\(masked(headline.sentence, headline)).</strong> \(advice(headline))</p>
            \(rest)</section>
            """
    }

    private static func words(_ finding: Finding) -> HTML {
        "\(masked(finding.sentence, finding)). \(advice(finding))"
    }

    private static func advice(_ finding: Finding) -> HTML {
        let command: HTML = finding.command.map { "<code>\(masked($0, finding))</code>" } ?? ""
        guard let advice = finding.advice else { return command }
        return finding.command == nil ? "\(advice)." : "\(advice): \(command)"
    }

    private static func masked(_ text: String, _ finding: Finding) -> String {
        finding.user.map { JobText.masked(text, of: $0) } ?? text
    }
}
