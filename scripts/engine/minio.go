package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c"

// minio starts four nodes. An object survives the loss of two drives and can be
// written with three of the four.
func minio(ctx context.Context, dir string) (*engine, error) {
	program, err := buildMinIO(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	const user, secret = "conformance", "conformance-secret"
	env := []string{
		"MINIO_ROOT_USER=" + user, "MINIO_ROOT_PASSWORD=" + secret, "MINIO_BROWSER=off", "MINIO_API_CORS_ALLOW_ORIGIN=*",
		"CI=true", "MINIO_CI_CD=1", // or it refuses drives that are folders of the root disk
		"MINIO_KMS_SECRET_KEY=own:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	}
	e := &engine{env: map[string]string{
		"CHUNKSIGN_S3_ENDPOINT": "http://127.0.0.1:" + strconv.Itoa(ports[0]), "CHUNKSIGN_S3_REGION": "us-east-1",
		"CHUNKSIGN_STS_ENDPOINT": "http://127.0.0.1:" + strconv.Itoa(ports[0]), "CHUNKSIGN_S3_ACCESS_KEY": user, "CHUNKSIGN_S3_SECRET_KEY": secret, "CHUNKSIGN_S3_ROLE_ARN": "arn:minio:iam:::role/dummy-internal",
	}}
	var drives []string
	for i, port := range ports {
		drives = append(drives, fmt.Sprintf("http://127.0.0.1:%d%s", port, filepath.Join(dir, "drive", strconv.Itoa(i))))
	}
	for i, port := range ports {
		address := "127.0.0.1:" + strconv.Itoa(port)
		n := &node{
			name: "minio " + strconv.Itoa(i), log: filepath.Join(dir, fmt.Sprintf("minio-%d.log", i)), ready: "http://" + address + "/minio/health/cluster",
			args: append([]string{program, "server", "--quiet", "--address", address}, drives...),
			env:  append([]string{"_MINIO_SERVER_LOCAL=" + address}, env...), // else every node takes all drives of this machine for its own
		}
		e.nodes = append(e.nodes, n)
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "drive", strconv.Itoa(i)), 0o700), n.start()); err != nil {
			return e, err
		}
	}
	for _, n := range e.nodes {
		if err := n.serves(ctx); err != nil {
			return e, err
		}
	}
	return e, nil
}

// buildMinIO gives the program's path.
func buildMinIO(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "chunksign", "minio-"+minioVersion)
	program := filepath.Join(cache, "minio")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	install := exec.CommandContext(ctx, "go", "install", "github.com/minio/minio@"+minioVersion)
	install.Env = append(os.Environ(), "GOBIN="+cache)
	install.Dir, install.Stdout, install.Stderr = os.TempDir(), os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return "", fmt.Errorf("build MinIO: %w", err)
	}
	return program, nil
}
