package explain

// foreign are signs that an SSH message is about something else than a docker
// host, most of all git's remotes.
func foreign() []string {
	return []string{"git@", "github.com", "gitlab", "bitbucket", "could not read from remote repository", "the remote end hung up unexpectedly", "rsync error", "rsync:", "sftp>", "sshd[", "[preauth]", "ansible", "unreachable! =>", "terraform", "process \"/bin/sh -c", "the command '/bin/sh -c"}
}

// sshEntries are ssh's messages about keys, algorithms and its configuration;
// those about logins are in sshlogin.go, about the way to the server in
// sshpath.go.
func sshEntries() []Entry {
	return []Entry{
		{
			ID:     "ssh.rate-limited",
			Means:  "the server says itself that this address has made too many connections, or failed too often, and is not served for a while.",
			Causes: []string{"docker-machine's many short logins", "a program that tries a wrong key again and again"},
			Run:    []string{"wait ten minutes without a login", "docker-vpn-helper doctor {machine}   # one login"},
			Code:   "ssh.rate-limited",
			Source: "OpenSSH 0ef0f5a83, sshd.c; sshd_config(5), MaxStartups, PerSourcePenalties",
			match:  []string{"exchange_identification…not allowed at this time", "banner line…not allowed at this time", "exceeded maxstartups", "past maxstartups", "beginning maxstartups throttling"},
		},
		{
			ID:     "ssh.host-key-changed",
			Means:  "the server has another host key than the one that is remembered for this address and port.",
			Causes: []string{"the VM was recreated: forwarded ports are used again by the next VM", "another VM answers on the port now", "somebody stands in between; unlikely on 127.0.0.1"},
			Run:    []string{`ssh-keygen -R "[127.0.0.1]:PORT"`, "docker-vpn-helper fix --accept-host-key {machine}"},
			Code:   "ssh.host-key-changed",
			Source: "OpenSSH 0ef0f5a83, sshconnect.c",
			match:  []string{"remote host identification has changed", "host key for…has changed and you have requested strict checking", "knownhosts: key mismatch", "possible dns spoofing detected", "differs from the key for the ip address", "offending key for ip in"},
			not:    foreign(),
		},
		{
			ID:     "ssh.host-key-unverified",
			Means:  "ssh does not know this server's host key, or knows another, and nobody could say yes to it.",
			Causes: []string{"the first login to this address and port, without a terminal to ask on, as docker's ssh:// transport makes it", "the VM was recreated: forwarded ports are used again by the next VM"},
			Run:    []string{"ssh -p PORT docker@127.0.0.1   # once, in a terminal: it asks", `ssh-keygen -R "[127.0.0.1]:PORT"   # if the VM is a new one`},
			Code:   "ssh.host-key-changed",
			Source: "OpenSSH 0ef0f5a83, sshconnect.c, sshconnect2.c",
			match:  []string{"host key verification failed", "no … host key is known for…and you have requested strict checking", "knownhosts: key is unknown"},
			not:    foreign(),
		},
		{
			ID:     "ssh.host-key-new",
			Means:  "ssh has not seen this server's host key yet at this address and port, and asks whether it is right.",
			Causes: []string{"the VM is new, or its forwarded SSH port has changed"},
			Run:    []string{"docker-machine ssh {machine}   # does not ask: it remembers no host keys", "VBoxManage showvminfo {machine} --machinereadable | grep Forwarding   # is the port the VM's?"},
			Source: "OpenSSH 0ef0f5a83, sshconnect.c",
			match:  []string{"the authenticity of host '[127.0.0.1]:", "the authenticity of host '[localhost]:", "the authenticity of host '192.168.99."},
			not:    foreign(),
		},
		{
			ID:     "ssh.key-permissions",
			Means:  "ssh does not use a private key that others may read.",
			Causes: []string{"the store was copied or restored without its permissions"},
			Run:    []string{"chmod 600 ~/.docker/machine/machines/*/id_rsa"},
			Code:   "ssh.auth-failed",
			Source: "OpenSSH 0ef0f5a83, authfile.c; docker/machine b170508b, libmachine/ssh/client.go",
			match:  []string{"unprotected private key file", "permissions…for '…' are too open", "bad permissions: ignore key", "load key \"…bad permissions", "bad permissions. try removing permissions for user"},
			not:    foreign(),
		},
		{
			ID:     "ssh.key-file",
			Means:  "the machine's private key is missing, damaged or encrypted.",
			Causes: []string{"the store was moved and config.json still has the old path", "the file was cut off, or edited with Windows line ends"},
			Run:    []string{"docker-machine inspect {machine} --format '{{.Driver.SSHKeyPath}}'", "ssh-keygen -y -f ~/.docker/machine/machines/{machine}/id_rsa"},
			Code:   "ssh.auth-failed",
			Source: "OpenSSH 0ef0f5a83, sshconnect2.c, ssh.c; docker/machine b170508b, libmachine/ssh",
			match:  []string{"load key \"…invalid format", "load key \"…error in libcrypto", "load key \"…no such file", "identity file…not accessible", "ssh key does not exist", "id_rsa: no such file or directory", "id_rsa: the system cannot find the", "ssh: no key found", "no such identity:", "load key \"…permission denied", "id_rsa: permission denied", "ssh: this private key is passphrase protected", "id_rsa' is not readable", "enter passphrase for key '…machines/…id_rsa"},
			not:    foreign(),
		},
		{
			ID:     "ssh.signature-algorithm",
			Means:  "client and server share no algorithm for the key's signature: the server knows only RSA with SHA-1, which current clients do not offer.",
			Causes: []string{"an old boot2docker with a current ssh"},
			Run:    []string{"docker-machine upgrade {machine}", "ssh -o PubkeyAcceptedAlgorithms=+ssh-rsa …   # until then"},
			Code:   "ssh.no-common-algorithm",
			Source: "OpenSSH 0ef0f5a83, sshconnect2.c; OpenSSH 8.8 release notes",
			match:  []string{"no mutual signature supported", "no mutual signature algorithm"},
			not:    foreign(),
		},
		{
			ID:     "ssh.no-common-algorithm",
			Means:  "client and server share no algorithm; the message ends with what the server offers.",
			Causes: []string{"an old boot2docker, which knows only SHA-1 algorithms, with a current ssh", "a client that was hardened"},
			Run:    []string{"docker-machine upgrade {machine}", "ssh -o KexAlgorithms=+diffie-hellman-group14-sha1 -o HostKeyAlgorithms=+ssh-rsa …   # until then"},
			Code:   "ssh.no-common-algorithm",
			Source: "OpenSSH 0ef0f5a83, packet.c, ssherr.c; golang.org/x/crypto/ssh, common.go",
			match: []string{"no matching key exchange method", "no hostkey alg", "no matching host key type found", "no matching cipher found", "no matching mac found", "unable to negotiate with",
				"ssh: no common algorithm", "dh_gen_key: group too small", "dh gex group out of range", "ssh_dispatch_run_fatal…invalid key length", "bad server host key: invalid key length", "couldn't agree a key exchange algorithm", "couldn't agree a host key algorithm"},
			not: foreign(),
		},
		{
			ID:     "ssh.config",
			Means:  "ssh stops at its own configuration file, before it connects.",
			Causes: []string{"~/.ssh/config may be written by others, or belongs to another user", "an option that this version of ssh does not know, such as UseKeychain outside macOS"},
			Run:    []string{"chmod 600 ~/.ssh/config", "ssh -F /dev/null …", "IgnoreUnknown UseKeychain   # as the first line of ~/.ssh/config"},
			Source: "OpenSSH 0ef0f5a83, readconf.c",
			match:  []string{"bad owner or permissions on…ssh", "bad configuration option", "terminating,…bad configuration options", "keyword…extra arguments at end of line", ".ssh/config line…: missing argument"},
		},
	}
}
