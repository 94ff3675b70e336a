package devstore

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The STS: AssumeRole and GetCallerIdentity in AWS's query protocol (a signed form in, XML out), so that the SDKs work
// against it unchanged. https://docs.aws.amazon.com/STS/latest/APIReference/
//
// It sends no CORS headers at all: no page has business here.

const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	// maxForm bounds a request's body, in bytes: a policy of 2,048 characters, percent-encoded, and room.
	maxForm = 64 << 10
	// shutdownWait bounds how long a listener waits for requests under way when it closes; the gateway has its own, equal.
	shutdownWait = 10 * time.Second
)

// stsError is an error as the query protocol answers it.
type stsError struct {
	status  int
	code    string
	message string
}

// caller is who signed a request.
type caller struct {
	accessKeyID string
	arn         string
	userID      string
	root        bool
}

// stsHandler answers the STS's requests. It keeps no state.
type stsHandler struct {
	keys     keyring
	sessions sessions
	now      func() time.Time
	log      *slog.Logger
}

// serveSTS serves h on listener until the function it returns is called.
func serveSTS(listener net.Listener, h *stsHandler, log *slog.Logger) (stop func() error) {
	allowed := allowedHosts(listener.Addr().String())
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !allowed(r.Host) {
				http.Error(w, "this STS answers only for its own loopback address", http.StatusMisdirectedRequest)
				return
			}
			h.ServeHTTP(w, r)
		}),
		ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute,
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the embedded STS stopped", "err", err)
		}
	}()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
		defer cancel()
		return server.Shutdown(ctx)
	}
}

func (h *stsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := rand.Text()
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Cache-Control", "no-store")

	reply, action, failure := h.answer(w, r, requestID)
	if failure != nil {
		h.log.Debug("sts", "action", action, "requestId", requestID, "code", failure.code, "message", failure.message)
		w.WriteHeader(failure.status)
		reply = errorReply{XMLNS: stsNamespace, Type: "Sender", Code: failure.code, Message: failure.message, RequestID: requestID}
	} else {
		h.log.Debug("sts", "action", action, "requestId", requestID)
	}
	if err := xml.NewEncoder(w).Encode(reply); err != nil {
		h.log.Debug("sts: the reply was not read to its end", "requestId", requestID, "err", err)
	}
}

// answer checks who asks, then does what is asked. The action it returns is for the log, and only one we know.
func (h *stsHandler) answer(w http.ResponseWriter, r *http.Request, requestID string) (reply any, action string, failure *stsError) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, "", &stsError{http.StatusBadRequest, "InvalidAction", "Send the action as a form: POST / with Action and Version in the body."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, "", &stsError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("The body could not be read, or is over %d bytes.", maxForm)}
	}
	who, failure := h.authenticate(r, body)
	if failure != nil {
		return nil, "", failure
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, "", &stsError{http.StatusBadRequest, "MalformedQueryString", "The body is not a form (application/x-www-form-urlencoded)."}
	}
	if form.Get("Version") == stsVersion {
		switch action := form.Get("Action"); action {
		case "AssumeRole":
			reply, failure := h.assumeRole(who, form, requestID)
			return reply, action, failure
		case "GetCallerIdentity":
			return callerIdentityReply{XMLNS: stsNamespace, ARN: who.arn, UserID: who.userID, Account: accountID, RequestID: requestID}, action, nil
		}
	}
	return nil, "", &stsError{http.StatusBadRequest, "InvalidAction",
		"Could not find this operation: the embedded STS knows AssumeRole and GetCallerIdentity, Version " + stsVersion + "."}
}

// authenticate returns who signed the request: root, or a session with its token. Codes are those of
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
func (h *stsHandler) authenticate(r *http.Request, body []byte) (caller, *stsError) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return caller{}, &stsError{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	}
	signed, failure := parseAuthorization(header)
	if failure != nil {
		return caller{}, failure
	}
	who := caller{accessKeyID: signed.accessKeyID}
	token := r.Header.Get("X-Amz-Security-Token")
	var secret string
	if subtle.ConstantTimeCompare([]byte(signed.accessKeyID), []byte(h.keys.root.AccessKeyID)) == 1 && token == "" {
		secret = h.keys.root.SecretAccessKey
		who.arn, who.userID, who.root = "arn:aws:iam::"+accountID+":root", accountID, true
	} else {
		s, err := h.sessions.open(signed.accessKeyID, token)
		switch {
		case errors.Is(err, errExpiredSession):
			return caller{}, &stsError{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
		case err != nil:
			return caller{}, &stsError{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."}
		}
		secret = s.SecretKey
		who.arn, who.userID = s.arn(), roleID+":"+s.Name
	}
	if failure := signed.verify(r, body, secret, h.now()); failure != nil {
		return caller{}, failure
	}
	return who, nil
}

// The replies, as in the API reference's examples.
type (
	errorReply struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		XMLNS     string   `xml:"xmlns,attr"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
	callerIdentityReply struct {
		XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
		XMLNS     string   `xml:"xmlns,attr"`
		ARN       string   `xml:"GetCallerIdentityResult>Arn"`
		UserID    string   `xml:"GetCallerIdentityResult>UserId"`
		Account   string   `xml:"GetCallerIdentityResult>Account"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}
	assumeRoleReply struct {
		XMLName          xml.Name `xml:"AssumeRoleResponse"`
		XMLNS            string   `xml:"xmlns,attr"`
		AccessKeyID      string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		SecretAccessKey  string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		SessionToken     string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
		Expiration       string   `xml:"AssumeRoleResult>Credentials>Expiration"`
		AssumedRoleID    string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
		ARN              string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
		PackedPolicySize int      `xml:"AssumeRoleResult>PackedPolicySize"` // percent
		RequestID        string   `xml:"ResponseMetadata>RequestId"`
	}
)
