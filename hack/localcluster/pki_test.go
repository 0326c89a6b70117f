package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestCertificatesAreTrustedByTheirOwnAuthorityOnly(t *testing.T) {
	p, err := newPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.kubeconfig(t.TempDir()+"/kubeconfig", "alice", ""); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		server, serverCA string
		client, clientCA string
		trusted          bool
	}{
		"a user reaches the API server":             {apiServerName, "ca", "alice", "ca", true},
		"the API server reaches etcd":               {etcdName, "etcd-ca", etcdClientName, "etcd-ca", true},
		"a user does not reach etcd":                {etcdName, "etcd-ca", "alice", "etcd-ca", false},
		"etcd is not taken for the API server":      {etcdName, "etcd-ca", "alice", "ca", false},
		"etcd's client is nobody to the API server": {apiServerName, "ca", etcdClientName, "ca", false},
	} {
		t.Run(name, func(t *testing.T) {
			serving, err := p.tlsConfig(test.serverCA, test.server)
			if err != nil {
				t.Fatal(err)
			}
			serving.ClientCAs, serving.ClientAuth = serving.RootCAs, tls.RequireAndVerifyClientCert
			var user string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				user = r.TLS.PeerCertificates[0].Subject.CommonName
			}))
			server.Config.ErrorLog = quiet
			server.TLS = serving
			server.StartTLS()
			defer server.Close()
			config, err := p.tlsConfig(test.clientCA, test.client)
			if err != nil {
				t.Fatal(err)
			}
			_, err = request(t.Context(), newClient(config), http.MethodGet, server.URL, nil)
			if (err == nil) != test.trusted {
				t.Errorf("trusted %v: %v", err == nil, err)
			}
			if test.client == "alice" && test.trusted && user != "alice" {
				t.Errorf("the server sees %q", user)
			}
		})
	}
}

func TestKeysAreForTheirOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	p, err := newPKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca", "etcd-ca", etcdName, etcdClientName, apiServerName, serviceAccountsName} {
		info, err := os.Stat(p.key(name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestAnAnswerOtherThanSuccessIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	_, err := request(t.Context(), server.Client(), http.MethodPost, server.URL, map[string]string{"a": "b"})
	if message(err) != `status 418: {"a":"b"}` {
		t.Errorf("got %v", err)
	}
}
