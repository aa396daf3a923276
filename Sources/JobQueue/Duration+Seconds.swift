import Foundation

extension Duration {
    /// The duration in seconds, as PostgreSQL's `make_interval(secs => …)` takes it.
    public var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }

    /// The seconds with two decimals, for people.
    var formattedSeconds: String { String(format: "%.2f", seconds) }
}
