package main

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trustPublicAuthorities has the certificate of an endpoint verified that is reached by HTTPS, where the system knows of no authorities: the
// operator's image holds the program and nothing else. Authorities of the system's come first. Who needs none pays for none: a process has them from the
// first such endpoint on.
func trustPublicAuthorities(endpoint string) error {
	if u, err := url.Parse(endpoint); err != nil || !strings.EqualFold(u.Scheme, "https") {
		return nil // what is wrong with it is not said here
	}
	return fallBack()
}

var fallBack = sync.OnceValue(func() error {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return fmt.Errorf("public authorities: %w", err)
		}
		if root.Constraint == nil {
			pool.AddCert(certificate)
		} else {
			pool.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	x509.SetFallbackRoots(pool)
	return nil
})
