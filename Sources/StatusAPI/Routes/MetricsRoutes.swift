import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// What Prometheus asks for.
struct MetricsRoutes: Sendable {
    let source: StatusSource

    func add(to router: Router<APIContext>) {
        router.get(StatusPath.metrics) { request, _ in
            let accept = request.headers[.accept] ?? ""
            let format: PrometheusText.Format =
                accept.contains("application/openmetrics-text") ? .openMetrics : .prometheus
            let report = try await MetricsReport(source)
            var response = Response(.ok, format.contentType, ByteBuffer(string: report.text(format)))
            response.headers[.vary] = "Accept"
            return response
        }
    }
}
