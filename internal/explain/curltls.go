package explain

// curlTLSEntries are curl's messages about TLS and certificates.
func curlTLSEntries() []Entry {
	return []Entry{
		{
			ID:     "curl.client-cert-rejected",
			Means:  "the server wants a client certificate, and got none or one that it does not accept: dockerd with TLS does.",
			Causes: []string{"curl was called without --cert, --key and --cacert", "they are another machine's"},
			Run:    []string{`curl --cacert "$DOCKER_CERT_PATH/ca.pem" --cert "$DOCKER_CERT_PATH/cert.pem" --key "$DOCKER_CERT_PATH/key.pem" https://localhost:2376/_ping`},
			Code:   "tls.client-cert-rejected",
			Source: "curl(1), EXIT CODES 35 and 56",
			match:  each([]string{"curl: (56)", "curl: (35)"}, "alert bad certificate", "certificate required", "sslv3 alert certificate", "alert unknown ca", "bad_certificate", "alert handshake failure"),
			not:    builds(),
		},
		{
			ID:     "curl.revocation",
			Means:  "Windows' curl could not ask whether the certificate was revoked; that of docker-machine's CA says nowhere where to ask.",
			Causes: []string{"a CA without a revocation list, as docker-machine's", "the list's address is not reachable without, or with, the VPN"},
			Run:    []string{"curl --ssl-no-revoke …"},
			Source: "curl(1), --ssl-no-revoke",
			match:  []string{"the revocation function was unable to check revocation", "crypt_e_no_revocation_check", "crypt_e_revocation_offline"},
			not:    builds(),
		},
		{
			ID:     "curl.tls",
			Means:  "TLS could not be agreed: what answers does not speak it, or cut the connection.",
			Causes: []string{"the port speaks plain HTTP", "behind VirtualBox's NAT nobody listens", "a proxy or firewall cuts the handshake"},
			Run:    []string{"docker-vpn-helper doctor {machine}", "curl -v http://…   # does plain HTTP answer?"},
			Source: "curl(1), EXIT CODES 35",
			match:  []string{"curl: (35)"},
			not:    append(builds(), "sec_e_untrusted_root", "sec_e_wrong_principal"),
		},
		{
			ID:     "curl.names",
			Means:  "the server's certificate does not have the name that was dialled.",
			Causes: []string{"127.0.0.1 was dialled, and only localhost is named", "the VM has another address than when its certificate was made"},
			Run:    []string{"use https://localhost:2376", "docker-vpn-helper fix --reissue {machine}"},
			Code:   "tls.address-missing",
			Source: "curl(1), EXIT CODES 51 and 60",
			match:  []string{"curl: (51)", "curl: (60)…no alternative certificate subject name matches", "curl: (60)…subject name…does not match", "curl: (60)…unable to obtain common name", "curl: (60)…sec_e_wrong_principal", "curl: (35)…sec_e_wrong_principal"},
			not:    builds(),
		},
		{
			ID:     "curl.untrusted",
			Means:  "curl does not trust the server's certificate: its CA is not known, or a date is past.",
			Causes: []string{"--cacert is missing: docker-machine's CA is known to nobody else", "a proxy that inspects TLS", "the certificate has expired"},
			Run:    []string{`curl --cacert "$DOCKER_CERT_PATH/ca.pem" …   # if dockerd was meant`, "docker-vpn-helper doctor {machine}"},
			Code:   "tls.wrong-ca",
			Source: "curl(1), EXIT CODES 60",
			match:  []string{"curl: (60)", "curl: (35)…sec_e_untrusted_root"},
			not:    builds(),
		},
		{
			ID:     "curl.cert-file",
			Means:  "curl could not use the certificate or key file that it was given.",
			Causes: []string{"a wrong path: DOCKER_CERT_PATH is not set", "macOS' own curl wants the client certificate as PKCS#12, not PEM", "key and certificate do not belong together"},
			Run:    []string{`ls "$DOCKER_CERT_PATH"`, `openssl pkcs12 -export -in "$DOCKER_CERT_PATH/cert.pem" -inkey "$DOCKER_CERT_PATH/key.pem" -out cert.p12   # then: curl --cert cert.p12:PASSWORD`},
			Source: "curl(1), EXIT CODES 58",
			match:  []string{"curl: (58)"},
			not:    builds(),
		},
		{
			ID:     "curl.ca-file",
			Means:  "curl could not read the CA certificates that it was given, or that it has by default.",
			Causes: []string{"a wrong path: DOCKER_CERT_PATH is not set", "CURL_CA_BUNDLE names a file that is gone"},
			Run:    []string{`ls "$DOCKER_CERT_PATH"`, "echo \"$CURL_CA_BUNDLE\""},
			Source: "curl(1), EXIT CODES 77",
			match:  []string{"curl: (77)"},
			not:    builds(),
		},
	}
}
