package explain

// client are the ways in which docker and docker-machine say that a call of
// dockerd's API failed. Their ports set them apart from calls of a registry.
func client() []string {
	return []string{
		"error during connect", "cannot connect to the docker daemon", "an error occurred trying to connect", "failed to connect to the docker api",
		":2376/", ":2375/", ":2376: ", ":2376\": ", "error validating certificates for host", "docker engine endpoint", "unable to query docker version",
		"error checking tls connection",
	}
}

// calls are ends of URLs that only dockerd has.
func calls() []string {
	return []string{"/containers/json", "/images/json", "/containers/create", "/images/create"}
}

// local are the laptop's own addresses in a dial error.
func local() []string {
	return []string{"dial tcp 127.0.0.1:", "dial tcp [::1]:", "host \"localhost:", "host \"127.0.0.1:", "//localhost:", "//127.0.0.1:"}
}

// with puts a local address between head and tail.
func with(heads, middles, tails []string) []string {
	var all []string
	for _, h := range heads {
		for _, m := range middles {
			all = append(all, each([]string{h + "…" + m}, tails...)...)
		}
	}
	return all
}

// timeouts are the ways in which Go, the C library and Windows say that nobody
// answered. Windows speaks the user's language (WSAETIMEDOUT in German, French,
// Spanish, Portuguese, Italian, Russian, Chinese and Japanese).
func timeouts() []string {
	return []string{
		"i/o timeout", "operation timed out", "connection timed out", "dialwithdialer timed out", "context deadline exceeded",
		"client.timeout exceeded", "connectex: a connection attempt failed because", "connectex tcp: a connection attempt failed because", "tls handshake timeout",
		"connectex: ein verbindungsversuch ist fehlgeschlagen", "connectex: une tentative de connexion a échoué",
		"connectex: se produjo un error durante el intento de conexión", "connectex: uma tentativa de conexão falhou",
		"connectex: impossibile stabilire la connessione. risposta non corretta", "connectex: попытка установить соединение была безуспешной",
		"connectex: 由于连接方在一段时间后没有正确答复", "connectex: 接続済みの呼び出し先が一定の時間を過ぎても正しく応答しなかった",
	}
}

// refusals are the same for a port where nobody listens (WSAECONNREFUSED).
func refusals() []string {
	return []string{
		"connection refused", "actively refused it", "zielcomputer die verbindung verweigerte", "l'a expressément refusée",
		"denegó expresamente dicha conexión", "as recusou ativamente", "rifiuto persistente del computer", "отверг запрос на подключение",
		"计算机积极拒绝", "コンピューターによって拒否された",
	}
}

// unreachables are the same for an address to which there is no way.
func unreachables() []string {
	return []string{"no route to host", "network is unreachable", "host is down", "unreachable network", "unreachable host", "can't assign requested address", "cannot assign requested address"}
}

// cuts are the same for a connection that stood.
func cuts() []string {
	return []string{": eof", "connection reset by peer", "forcibly closed", "unexpected eof", "broken pipe", "use of closed connection", "server closed idle connection",
		"established connection was aborted", "http2: client connection lost", "http2: server sent goaway", "software caused connection abort"}
}

// blocked are the words of a laptop that does not let a program connect.
func blocked() []string {
	return []string{"forbidden by its access permissions", "connect: operation not permitted", "connect: permission denied"}
}
