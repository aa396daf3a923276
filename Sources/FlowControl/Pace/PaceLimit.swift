/// How many permits a gate gives.
public struct PaceLimit: Sendable, Equatable {
    /// On average; 0 switches the pace off.
    public var permitsPerSecond: Double
    /// How many may be used at once after a rest; 1 at least.
    public var burst: Int

    public init(permitsPerSecond: Double, burst: Int) {
        self.permitsPerSecond = permitsPerSecond
        self.burst = max(burst, 1)
    }

    public static let off = PaceLimit(permitsPerSecond: 0, burst: 1)

    public var isOff: Bool { permitsPerSecond <= 0 }
}

extension FlowControl {
    /// Whether calls that pass a gate keep to a pace.
    public func isPaced(_ gate: GateName) -> Bool { !configuration.pace(of: gate).isOff }
}
