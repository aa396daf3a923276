import ArgumentParser

/// The options of a list of which more may be there than is shown, and how it is printed.
struct ListOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "At most so many.")
    var limit = 100
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard 1...1_000_000 ~= limit else { throw ValidationError("--limit must be from 1 to 1000000.") }
    }

    /// One more than is shown tells whether there are more.
    var readLimit: Int { limit + 1 }

    /// Prints records that were read up to ``readLimit``: as JSON, as a table, or as a remark that there are none; and
    /// a remark where there are more.
    ///
    /// - Parameter whole: what the array of records is put into where programs read it.
    /// - Throws: `SyncControlError` with code `outputFailed`.
    func print<Record>(
        _ records: [Record],
        ifNone remark: String,
        json value: (Record) -> JSONValue,
        table: ([Record]) -> TextTable,
        in whole: (JSONValue) -> JSONValue = { $0 }
    ) throws {
        let shown = Array(records.prefix(limit))
        if json.isWanted {
            try whole(.array(shown.map(value))).print()
        } else if shown.isEmpty {
            StandardStream.error.note(remark)
        } else {
            try StandardStream.output.write(table(shown).text(on: .output))
        }
        if records.count > limit { tellOfMore() }
    }

    /// Says that there are more than are shown.
    func tellOfMore() {
        StandardStream.error.note("These are the first \(limit); there are more. Name a larger --limit to see them.")
    }
}
