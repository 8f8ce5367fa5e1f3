package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A server is an address. Where a name has several, each is a server of its
// own, and is written with the name that its certificate is held to and the
// address that is dialled: ldaps://ldap.example.org:636@192.0.2.7. The campaign
// file may say so too.

// ServerAt is the server that answers at an address, by a URL's name. Without
// an address it is the URL.
func ServerAt(url, address string) string {
	if address == "" {
		return url
	}
	return url + "@" + address
}

// SplitServer takes apart what ServerAt has put together.
func SplitServer(server string) (url, address string) {
	at := strings.LastIndexByte(server, '@')
	if at < 0 {
		return server, ""
	}
	return server[:at], server[at+1:]
}

// ServerURL is a server in the form that Servers has, so that what a person
// types means the same server.
func ServerURL(text string) (string, error) {
	u, address, what := parseServer(text)
	scheme, _, _ := strings.Cut(text, "://")
	for _, s := range sections {
		if s.Ports[scheme] != "" {
			u, address, what = parseURL(text, s.Ports, "must be a URL like "+scheme+"://host.example.org:"+s.Ports[scheme], "nothing else belongs to a server")
		}
	}
	if what != "" {
		return "", errors.New(what)
	}
	return ServerAt(u.String(), address), nil
}

// parseServer reads an LDAP URL, with an address behind it or without, and
// makes both canonical: lower case, port given.
func parseServer(s string) (u *url.URL, address, what string) {
	return parseURL(s, map[string]string{"ldaps": "636", "ldap": "389"}, "must be a URL like ldaps://ldap1.example.org or ldap://10.0.0.5:389", "the base DN has its own key")
}

// parseURL is parseServer for URLs of those schemes, each with its usual port.
// rest says where what stands behind the port belongs.
func parseURL(s string, ports map[string]string, form, rest string) (u *url.URL, address, what string) {
	s, address, what = parseAddress(s, form)
	if what != "" {
		return nil, "", what
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, "", form
	}
	port := ports[u.Scheme]
	switch {
	case port == "":
		return nil, "", form
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, "", form + ", with nothing after the port; " + rest
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, "", "the port must be from 1 to 65535"
		}
		port = p
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil && address != "" {
		return nil, "", "names two addresses; before the @ stands the name that the certificate has, behind it the address of the machine"
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(strings.ToLower(u.Hostname()), port)}, address, ""
}

// parseAddress cuts the address off. What stands before an @ in a URL is
// commonly a login, which no server takes.
func parseAddress(s, form string) (url, address, what string) {
	url, address = SplitServer(s)
	if url == s {
		return s, "", ""
	}
	a, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil || strings.ContainsRune(url, '@') {
		return "", "", form + ", without a login; behind an @ stands the address of one machine: ldaps://ldap.example.org@10.0.0.5"
	}
	return url, a.Unmap().String(), ""
}
