// A second opinion on certificates, and a TLS peer that shows any chain with any key. Reads one
// JSON object a line and answers each with one:
//
//	{"Do": "verify", "Roots": [DER], "Chain": [DER], "Purpose": "server", "Now": ms, "Host": "…"}
//	{"Do": "serve", "Chain": [DER], "Key": PKCS #8}             -> the port, for one connection
//	{"Do": "dial", "Chain": [DER], "Key": PKCS #8, "Port": n}   -> whether the server took it
//
// DER and keys are in base64.
package main

import (
	"bufio"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"
)

type request struct {
	Do      string
	Roots   [][]byte
	Chain   [][]byte
	Purpose string
	Now     int64
	Host    string
	Key     []byte
	Port    int
}

type answer struct {
	OK     bool
	Reason string
	Port   int
}

const patience = 30 * time.Second

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var req request
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			panic(err)
		}
		port, err := do(req)
		reply := answer{OK: err == nil, Port: port}
		if err != nil {
			reply.Reason = err.Error()
		}
		text, _ := json.Marshal(reply)
		fmt.Println(string(text))
	}
}

func do(req request) (int, error) {
	switch req.Do {
	case "verify":
		return 0, verify(req)
	case "serve":
		return serve(req)
	case "dial":
		return 0, dial(req)
	}
	return 0, fmt.Errorf("nothing is called %q", req.Do)
}

func verify(req request) error {
	opts := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   time.UnixMilli(req.Now),
		DNSName:       req.Host,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if req.Purpose == "client" {
		opts.KeyUsages[0] = x509.ExtKeyUsageClientAuth
	}
	for _, der := range req.Roots {
		if root, err := x509.ParseCertificate(der); err == nil {
			opts.Roots.AddCert(root)
		}
	}
	var leaf *x509.Certificate
	for i, der := range req.Chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if i == 0 {
			leaf = cert
		} else {
			opts.Intermediates.AddCert(cert)
		}
	}
	_, err := leaf.Verify(opts)
	return err
}

func identity(req request) (tls.Certificate, error) {
	key, err := x509.ParsePKCS8PrivateKey(req.Key)
	return tls.Certificate{Certificate: req.Chain, PrivateKey: key.(crypto.Signer)}, err
}

func serve(req request) (int, error) {
	cert, err := identity(req)
	if err != nil {
		return 0, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	go func() {
		defer listener.Close()
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		if secure.Handshake() == nil {
			secure.Read(make([]byte, 1))
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func dial(req request) error {
	cert, err := identity(req)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: patience}
	conn, err := tls.DialWithDialer(&dialer, "tcp", fmt.Sprintf("127.0.0.1:%d", req.Port), &tls.Config{
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &cert, nil
		},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	// A server that takes the client says something; one that does not ends the connection.
	_, err = conn.Read(make([]byte, 1))
	return err
}
