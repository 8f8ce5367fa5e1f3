package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA is a throw-away certificate authority. Its key is never written down.
type CA struct {
	// PEM is the CA's certificate, for a client's ca_file.
	PEM []byte

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a certificate authority that is valid for a year.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("lab: make the CA's key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Rollcall lab CA"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("lab: sign the CA's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("lab: parse the CA's certificate: %w", err)
	}
	return &CA{PEM: pemBlock("CERTIFICATE", der), cert: cert, key: key}, nil
}

// Name is one that every server of the lab has a certificate for, besides
// localhost. What it stands for is up to the DNS of a test.
const Name = "ldap.example.org"

// Issue writes a certificate (of a server, and good for a client) and key for
// 127.0.0.1, localhost and Name, valid for lifetime, to dir/name.crt and
// dir/name.key (0600), and the CA's to dir/ca.crt.
func (ca *CA) Issue(dir, name string, lifetime time.Duration) (certFile, keyFile, caFile string, err error) {
	return ca.issue(dir, name, lifetime, []string{"localhost", Name}, []net.IP{net.IPv4(127, 0, 0, 1)})
}

// IssueFor is Issue for a host by that name and no other.
func (ca *CA) IssueFor(host, dir, name string, lifetime time.Duration) (certFile, keyFile, caFile string, err error) {
	return ca.issue(dir, name, lifetime, []string{host}, nil)
}

// IssueBare is Issue with the name in the subject (CN) and nowhere else, as old
// certificates have it.
func (ca *CA) IssueBare(dir, name string, lifetime time.Duration) (certFile, keyFile, caFile string, err error) {
	return ca.issue(dir, name, lifetime, nil, nil)
}

func (ca *CA) issue(dir, name string, lifetime time.Duration, hosts []string, addresses []net.IP) (certFile, keyFile, caFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", fmt.Errorf("lab: make the key of %s: %w", name, err)
	}
	serial, err := newSerial()
	if err != nil {
		return "", "", "", err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     hosts,
		IPAddresses:  addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return "", "", "", fmt.Errorf("lab: sign the certificate of %s: %w", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", "", fmt.Errorf("lab: encode the key of %s: %w", name, err)
	}
	certFile = filepath.Join(dir, name+".crt")
	keyFile = filepath.Join(dir, name+".key")
	caFile = filepath.Join(dir, "ca.crt")
	for _, f := range []struct {
		path string
		data []byte
	}{
		{certFile, pemBlock("CERTIFICATE", der)},
		{keyFile, pemBlock("PRIVATE KEY", keyDER)},
		{caFile, ca.PEM},
	} {
		if err := os.WriteFile(f.path, f.data, 0o600); err != nil {
			return "", "", "", fmt.Errorf("lab: write %s: %w", filepath.Base(f.path), err)
		}
	}
	return certFile, keyFile, caFile, nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// newSerial is positive: Go's crypto/x509 refuses negative serial numbers.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, fmt.Errorf("lab: make a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
