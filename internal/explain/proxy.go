package explain

import "slices"

// proxyEntries are answers of a proxy that should not have been asked.
func proxyEntries() []Entry {
	return []Entry{
		{
			ID:     "proxy.curl",
			Means:  "a proxy stands between curl and the address, and does not let it through.",
			Causes: []string{"http_proxy is set and no_proxy does not name localhost or the VM's address", "the proxy cannot reach addresses on this laptop"},
			Run:    []string{`eval "$(docker-vpn-helper env --no-proxy {machine})"`, "curl --noproxy '*' …"},
			Code:   "env.proxy-captures",
			Source: "curl(1), EXIT CODES 5, 56 and 97; docker/toolbox#370",
			match:  []string{"curl: (5)", "curl: (97)", "from proxy after connect", "proxy connect aborted", "connect tunnel failed, response", "curl: (7)…proxy", "curl: (28) proxy connect"},
		},
		{
			ID:     "proxy.docker",
			Means:  "docker's call to the VM went to a proxy, which cannot reach the VM.",
			Causes: []string{"HTTP_PROXY or HTTPS_PROXY is set, and NO_PROXY does not name the VM's address"},
			Run:    []string{`eval "$(docker-vpn-helper env --no-proxy {machine})"`, "docker-vpn-helper doctor {machine}"},
			Code:   "env.proxy-captures",
			Source: "docker/toolbox#540, #370, #522; docker/machine#673, #1676",
			match: slices.Concat(
				each([]string{":2376/", "error during connect", "an error occurred trying to connect"}, "service unavailable", "forbidden", "proxyconnect tcp", "bad gateway", "gateway timeout", "gateway time-out", "proxy authentication required", "access denied"),
				each([]string{"request returned service unavailable for", "request returned bad gateway for", "request returned gateway timeout for", "request returned forbidden for", "request returned proxy authentication required for", "request returned 502", "request returned 503",
					"request returned 504", "request returned 403", "request returned 407"}, ":2376/", ":2375/"),
				each([]string{":2376", "error response from daemon: ", "unable to query docker version"}, "<html", "<!doctype html"),
				each([]string{":2376", "port=2376", ":2375", "port=2375"}, "cannot connect to proxy", "proxyerror"),
			),
			not: []string{"pip ", "npm ", "/v2/", "forbidden by its access permissions"},
		},
	}
}
