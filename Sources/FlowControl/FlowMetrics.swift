internal import Metrics

/// What flow control counts. Without a metrics backend nothing happens.
enum FlowMetrics {
    /// A peer has refused a call as one too many.
    static func throttled(_ gate: GateName) {
        Counter(label: "sync_throttles_total", dimensions: dimensions(gate)).increment()
    }

    /// Permits that were taken.
    static func took(_ permits: Int, of gate: GateName) {
        Counter(label: "sync_permits_total", dimensions: dimensions(gate)).increment(by: permits)
    }

    private static func dimensions(_ gate: GateName) -> [(String, String)] {
        [("peer", gate.peer?.rawValue ?? ""), ("scope", gate.scope.rawValue)]
    }
}
