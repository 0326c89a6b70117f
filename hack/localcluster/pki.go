package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is how long certificates last. They are made anew at every start.
const validity = 365 * 24 * time.Hour

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// keyPair is a certificate with its private key, both in PEM.
type keyPair struct{ cert, key []byte }

func newAuthority(name string) (*authority, keyPair, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, keyPair{}, err
	}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, keyPair{}, err
	}
	block, _ := pem.Decode(pair.cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	return &authority{cert, key}, pair, err
}

// server makes a certificate for a server on the loopback address, and on these addresses. It serves as a client's too: etcd
// calls itself with it.
func (a *authority) server(name string, addresses ...net.IP) (keyPair, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: append([]net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, addresses...),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// client makes a certificate that the API server reads as this user in these groups.
func (a *authority) client(user string, groups ...string) (keyPair, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) issue(template *x509.Certificate) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	return sign(template, a.cert, key, a.key)
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (keyPair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return keyPair{}, err
	}
	template.SerialNumber = serial
	// An hour back: a clock that is set right after the start must not make them not yet valid.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return keyPair{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

// pki is the folder with everything that the parts of a control plane identify themselves with: NAME.crt and NAME.key in
// PEM for each NAME below.
type pki struct {
	dir string
	ca  *authority
}

const (
	etcdName            = "etcd"
	apiServerName       = "kube-apiserver"
	etcdClientName      = "etcd-client"
	serviceAccountsName = "service-accounts"
	adminName           = "admin"
)

func newPKI(dir string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{dir: dir}
	ca, caPair, err := newAuthority("localcluster")
	if err != nil {
		return nil, err
	}
	p.ca = ca
	// etcd knows no users: whoever holds a certificate of its authority may do everything. So it is not the users' one.
	etcdCA, etcdCAPair, err := newAuthority("localcluster etcd")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(p.write("ca", caPair), p.write("etcd-ca", etcdCAPair)); err != nil {
		return nil, err
	}
	for name, issue := range map[string]func() (keyPair, error){
		etcdName:            func() (keyPair, error) { return etcdCA.server(etcdName) },
		etcdClientName:      func() (keyPair, error) { return etcdCA.client(apiServerName) },
		apiServerName:       func() (keyPair, error) { return ca.server(apiServerName) },
		serviceAccountsName: func() (keyPair, error) { return ca.client(serviceAccountsName) }, // only its key is used
	} {
		pair, err := issue()
		if err != nil {
			return nil, err
		}
		if err := p.write(name, pair); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *pki) write(name string, pair keyPair) error {
	return errors.Join(
		os.WriteFile(p.cert(name), pair.cert, 0o600),
		os.WriteFile(p.key(name), pair.key, 0o600))
}

func (p *pki) cert(name string) string { return filepath.Join(p.dir, name+".crt") }
func (p *pki) key(name string) string  { return filepath.Join(p.dir, name+".key") }

// tlsConfig trusts the authority and presents the pair of these names.
func (p *pki) tlsConfig(authority, client string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(p.cert(client), p.key(client))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(p.cert(authority))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// kubeconfig makes a client certificate for the user, writes it to the folder as well, and writes to file a kubeconfig that
// holds it. The user is in these groups, in system:masters if none is named.
func (p *pki) kubeconfig(file, user, url string, groups ...string) error {
	if len(groups) == 0 {
		groups = []string{"system:masters"}
	}
	pair, err := p.ca.client(user, groups...)
	if err != nil {
		return err
	}
	if err := p.write(user, pair); err != nil {
		return err
	}
	ca, err := os.ReadFile(p.cert("ca"))
	if err != nil {
		return err
	}
	// JSON is YAML, and every reader of kubeconfig files takes it.
	content, err := json.MarshalIndent(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "localcluster",
		"clusters": []any{map[string]any{"name": "localcluster", "cluster": map[string]any{
			"server": url, "certificate-authority-data": ca}}},
		"users": []any{map[string]any{"name": user, "user": map[string]any{
			"client-certificate-data": pair.cert, "client-key-data": pair.key}}},
		"contexts": []any{map[string]any{"name": "localcluster", "context": map[string]any{
			"cluster": "localcluster", "user": user}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o600)
}
