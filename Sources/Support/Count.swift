/// Numbers of things, as a person reads them.
public enum Count {
    /// `1 user`, `2 users`.
    ///
    /// - Parameter thing: one of them, of which an s makes several.
    public static func of(_ number: Int, _ thing: String) -> String {
        number == 1 ? "1 \(thing)" : "\(number) \(thing)s"
    }

    /// `once`, `2 times`.
    public static func times(_ number: Int) -> String { number == 1 ? "once" : "\(number) times" }
}
