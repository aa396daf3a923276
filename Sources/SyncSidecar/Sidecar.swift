import Telemetry

/// What the routes answer from.
struct Sidecar: Sendable {
    let reader: DatabaseReader
    let health: HealthMonitor
    /// A worker silent for longer does not count as there.
    let heartbeatAge: Duration
}
