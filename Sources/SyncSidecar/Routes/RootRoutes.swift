import HTTPTypes
import Hummingbird
import NIOCore
import Settings

/// What this is, and how to use it.
struct RootRoutes: Sendable {
    let sidecar: Sidecar

    func add(to router: Router<SidecarContext>) {
        router.get(SidecarPath.root) { _, _ in
            Response.json([
                "service": .string(SidecarServer.serviceName),
                "version": .string(ServiceVersion.current),
                "status": "running",
            ])
        }
        router.get(SidecarPath.openAPI) { _, _ in
            Response(.ok, "application/json", ByteBuffer(bytes: PackageResources.openapi_json))
        }
    }
}
