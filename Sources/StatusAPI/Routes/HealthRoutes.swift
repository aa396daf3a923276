import Hummingbird

/// Whether the service, this process and what they need are there.
struct HealthRoutes: Sendable {
    let source: StatusSource

    func add(to router: Router<APIContext>) {
        router.get(StatusPath.health) { _, _ in
            Response.json(.health(await source.health.states()))
        }
        router.get(StatusPath.live) { request, _ in
            let isVerbose = request.uri.queryParameters.has("verbose")
            return Response.text(isVerbose ? "[+]ping ok\nlivez check passed\n" : "ok")
        }
        router.get(StatusPath.ready) { request, _ in
            let readiness = await Readiness(source)
            // As Kubernetes does: the list is given when asked for and when something is wrong.
            guard readiness.isReady else { return Response.text(readiness.text, status: .serviceUnavailable) }
            let isVerbose = request.uri.queryParameters.has("verbose") || !readiness.isFaultless
            return Response.text(isVerbose ? readiness.text : "ok")
        }
    }
}
