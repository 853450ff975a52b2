package sshhost

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/ssh"
)

// KeyFingerprint returns "SHA256:…" of a private key's public half, as ssh-keygen -l prints it.
func KeyFingerprint(pem []byte) (string, error) {
	signer, err := parseKey(pem)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(signer.PublicKey()), nil
}

// ErrEncrypted means that a private key has a passphrase. The program does not ask for one, because
// docker-machine's keys have none.
var ErrEncrypted = errors.New("the private key is encrypted")

func parseKey(pem []byte) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(pem)
	// x/crypto does not support encrypted PKCS #8 (RFC 5958).
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted || bytes.Contains(pem, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")) {
		return nil, ErrEncrypted
	}
	if err != nil {
		// The error is not wrapped: some decoders quote their input, which is secret.
		return nil, errors.New("not a private key that can be read")
	}
	return signer, nil
}
