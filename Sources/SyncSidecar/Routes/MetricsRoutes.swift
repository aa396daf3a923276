import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// What Prometheus asks for.
struct MetricsRoutes: Sendable {
    let sidecar: Sidecar

    func add(to router: Router<SidecarContext>) {
        router.get(SidecarPath.metrics) { request, _ in
            let accept = request.headers[.accept] ?? ""
            let format: PrometheusText.Format =
                accept.contains("application/openmetrics-text") ? .openMetrics : .prometheus
            let report = try await MetricsReport(sidecar)
            var response = Response(.ok, format.contentType, ByteBuffer(string: report.text(format)))
            response.headers[.vary] = "Accept"
            return response
        }
    }
}
