/// What the routes answer from.
package struct StatusSource: Sendable {
    package let reader: DatabaseReader
    let health: HealthMonitor
    let drain: Drain
    /// A worker silent for longer does not count as there.
    let heartbeatAge: Duration
}
