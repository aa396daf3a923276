/// Numbers of things, as a person reads them.
enum Count {
    /// `1 user`, `2 users`.
    static func of(_ number: Int, _ thing: String) -> String { number == 1 ? "1 \(thing)" : "\(number) \(thing)s" }
}
