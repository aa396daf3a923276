import HTTPTypes
import Hummingbird
import NIOCore
import Settings

/// What this is, and how to use it.
struct RootRoutes: Sendable {
    let sidecar: Sidecar

    func add(to router: Router<SidecarContext>) {
        router.get(SidecarPath.root) { request, _ in
            var response: Response
            if request.headers[.accept]?.contains("text/html") == true {
                response = await StatusPage.response(sidecar)
            } else {
                response = Response.json([
                    "service": .string(SidecarServer.serviceName),
                    "version": .string(ServiceVersion.current),
                    "status": "running",
                ])
            }
            response.headers[.vary] = "Accept"
            return response
        }
        router.get(SidecarPath.openAPI) { _, _ in
            Response(.ok, "application/json", ByteBuffer(bytes: PackageResources.openapi_json))
        }
    }
}
