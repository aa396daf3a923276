/// What the routes answer from.
package struct StatusSource: Sendable {
    package let reader: DatabaseReader
    /// The same by connections that no list or page keeps busy: for what says how the service is.
    let probes: DatabaseReader
    let health: HealthMonitor
    let drain: Drain
    let faults: ReadinessLog
    /// A worker silent for longer is in no metric.
    let heartbeatAge: Duration
}
