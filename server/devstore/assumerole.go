package devstore

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/versity/versitygw/iamapi/policy"
)

// Limits of AssumeRole. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	minDuration     = 900 // seconds
	maxDuration     = 43200
	defaultDuration = 3600
	maxPolicyChars  = 2048
	// maxPacked is the packed policy's limit in bytes. AWS does not publish its own, nor how it packs; here it is DEFLATE,
	// and 2,048 characters of ordinary JSON take about half.
	maxPacked = 2048
	// roleID is the role's unique id, as it appears in AssumedRoleId and UserId.
	roleID = "AROACHUNKSIGNUPLOADS0"
)

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	// policyChars are the characters that STS takes in a policy; a key outside them is written with JSON's \uXXXX.
	policyChars = regexp.MustCompile(`^[\x{9}\x{A}\x{D}\x{20}-\x{FF}]+$`)
)

// assumeRole answers credentials for the store's one role, narrowed by the form's session policy.
func (h *stsHandler) assumeRole(who caller, form url.Values, requestID string) (any, *stsError) {
	invalid := func(field, constraint string) (any, *stsError) {
		return nil, &stsError{http.StatusBadRequest, "ValidationError",
			"1 validation error detected: Value at '" + field + "' failed to satisfy constraint: " + constraint}
	}
	for name := range form {
		switch name {
		case "Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy":
		default:
			// Leaving out a PolicyArns or a Tags that was sent could make a session wider than was asked.
			return invalid(name, "the embedded STS does not know this parameter; leave it out")
		}
	}
	name, document := form.Get("RoleSessionName"), form.Get("Policy")
	if !sessionName.MatchString(name) {
		return invalid("roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}`)
	}
	duration := defaultDuration
	if form.Has("DurationSeconds") {
		var err error
		if duration, err = strconv.Atoi(form.Get("DurationSeconds")); err != nil || duration < minDuration || duration > maxDuration {
			return invalid("durationSeconds", fmt.Sprintf("Member must have value between %d and %d", minDuration, maxDuration))
		}
	}
	if !who.root || form.Get("RoleArn") != roleARN {
		return nil, &stsError{http.StatusForbidden, "AccessDenied",
			"User: " + who.arn + " is not authorized to perform: sts:AssumeRole on this resource; the embedded store's key may assume " + roleARN}
	}

	packed := 0
	if form.Has("Policy") {
		if n := utf8.RuneCountInString(document); n < 1 || n > maxPolicyChars {
			return invalid("policy", fmt.Sprintf("Member must have length between 1 and %d; it has %d characters", maxPolicyChars, n))
		}
		if !utf8.ValidString(document) || !policyChars.MatchString(document) {
			return invalid("policy", `Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)
		}
		if err := policy.Parse(document); err != nil {
			return nil, &stsError{http.StatusBadRequest, "MalformedPolicyDocument", "The policy document is malformed: " + err.Error()}
		}
		if packed = len(deflate([]byte(document))) * 100 / maxPacked; packed > 100 {
			return nil, &stsError{http.StatusBadRequest, "PackedPolicyTooLarge",
				fmt.Sprintf("Packed size of session policy consumes %d%% of allotted space.", packed)}
		}
	}

	s, token, err := h.sessions.issue(name, document, time.Duration(duration)*time.Second)
	if err != nil {
		h.log.Error("sts: issue a session", "requestId", requestID, "err", err)
		return nil, &stsError{http.StatusInternalServerError, "InternalFailure", "The session could not be made; the server's log says why."}
	}
	return assumeRoleReply{
		XMLNS:            stsNamespace,
		AccessKeyID:      s.AccessKeyID,
		SecretAccessKey:  s.SecretKey,
		SessionToken:     token,
		Expiration:       time.Unix(s.Expires, 0).UTC().Format(time.RFC3339),
		AssumedRoleID:    roleID + ":" + name,
		ARN:              s.arn(),
		PackedPolicySize: packed,
		RequestID:        requestID,
	}, nil
}
