package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/policy"
)

// arnName is the kind, the path and the name that an IAM ARN ends with
// (IAM/latest/UserGuide/reference_identifiers.html).
func arnName(arn string) (kind, path, name string) {
	kind, rest, _ := strings.Cut(arn[strings.LastIndex(arn, ":")+1:], "/")
	i := strings.LastIndex(rest, "/")
	return kind, "/" + rest[:i+1], rest[i+1:]
}

// longest is what a role's MaxSessionDuration has to be, in seconds: an hour at
// the least, says AWS.
func (r *role) longestSeconds() int { return int(max(r.longest, time.Hour) / time.Second) }

// labels gives each thing of a kind a name of its own, of the characters that
// a format takes for one.
type labels map[string]int

var notInLabels = regexp.MustCompile(`[^A-Za-z0-9]+`)

func (l labels) label(kind, name string) string {
	label := strings.Trim(notInLabels.ReplaceAllString(name, "_"), "_")
	if label == "" || label[0] < 'A' {
		label = "x_" + label
	}
	l[kind+label]++
	if n := l[kind+label]; n > 1 {
		label += fmt.Sprintf("_%d", n)
	}
	return label
}

// hcl writes Terraform's language, whose expressions take JSON as it is but for
// its templates
// (developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences).
type hcl struct {
	w   io.Writer
	err error
}

func (h *hcl) printf(format string, args ...any) {
	if h.err == nil {
		_, h.err = fmt.Fprintf(h.w, format, args...)
	}
}

func (h *hcl) value(v any, prefix string) string {
	text, err := indented(v, prefix)
	if err != nil {
		h.err = err
	}
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}

// terraform writes resources of HashiCorp's AWS provider.
func (s *setup) terraform(stdout io.Writer) error {
	h, l := &hcl{w: stdout}, labels{}
	h.printf("# Written by chunksign iam. Buckets, and what the server runs as, are not made here. CORS and\n# lifecycle replace what a bucket has of them.\n")
	for _, r := range s.roles {
		_, path, name := arnName(r.arn)
		label := l.label("role", name)
		h.printf("\n# %s%s\nresource \"aws_iam_role\" %q {\n  name                 = %s\n  path                 = %s\n  max_session_duration = %d\n  assume_role_policy   = jsonencode(%s)\n}\n",
			r.arn, r.what, label, h.value(name, ""), h.value(path, ""), r.longestSeconds(), h.value(r.trust, "  "))
		h.printf("\nresource \"aws_iam_role_policy\" %q {\n  name   = \"chunksign\"\n  role   = aws_iam_role.%s.id\n  policy = jsonencode(%s)\n}\n", label, label, h.value(r.rights, "  "))
	}
	for _, i := range s.servers {
		kind, _, name := arnName(i.arn)
		if kind != "user" {
			kind = "role"
		}
		h.printf("\n# %s, as which the server runs\nresource \"aws_iam_%s_policy\" %q {\n  name   = \"chunksign\"\n  %s   = %s\n  policy = jsonencode(%s)\n}\n", i.arn, kind, l.label("role", name), kind, h.value(name, ""), h.value(i.rights, "  "))
	}
	for _, b := range s.buckets {
		label := l.label("bucket", b.name)
		if b.cors != nil {
			h.printf("\nresource \"aws_s3_bucket_cors_configuration\" %q {\n  bucket = %s\n", label, h.value(b.name, ""))
			for _, r := range b.cors.CORSRules {
				h.printf("\n  cors_rule {\n    allowed_origins = %s\n    allowed_methods = %s\n    allowed_headers = %s\n    expose_headers  = %s\n    max_age_seconds = %d\n  }\n",
					h.value(r.AllowedOrigins, "    "), h.value(r.AllowedMethods, "    "), h.value(r.AllowedHeaders, "    "), h.value(r.ExposeHeaders, "    "), r.MaxAgeSeconds)
			}
			h.printf("}\n")
		}
		h.printf("\nresource \"aws_s3_bucket_lifecycle_configuration\" %q {\n  bucket = %s\n", label, h.value(b.name, ""))
		for _, r := range b.lifecycle.Rules {
			h.printf("\n  rule {\n    id     = %s\n    status = %s\n\n    filter {\n      prefix = %s\n    }\n\n    abort_incomplete_multipart_upload {\n      days_after_initiation = %d\n    }\n  }\n",
				h.value(r.ID, ""), h.value(r.Status, ""), h.value(r.Filter.Prefix, ""), r.AbortIncompleteMultipartUpload.DaysAfterInitiation)
		}
		h.printf("}\n")
	}
	return h.err
}

// cloudFormation writes a template
// (AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html).
func (s *setup) cloudFormation(stdout io.Writer) error {
	type object = map[string]any
	resources, l := object{}, labels{}
	put := func(kind, name, what string, properties object) object {
		// Logical IDs have letters and digits only.
		r := object{"Type": what, "Properties": properties}
		resources[kind+strings.ReplaceAll(l.label(kind, name), "_", "")] = r
		return r
	}
	policies := func(d policy.Document) []object { return []object{{"PolicyName": "chunksign", "PolicyDocument": d}} }
	for _, r := range s.roles {
		_, path, name := arnName(r.arn)
		put("Role", name, "AWS::IAM::Role", object{"RoleName": name, "Path": path, "MaxSessionDuration": r.longestSeconds(), "AssumeRolePolicyDocument": r.trust, "Policies": policies(r.rights)})
	}
	for _, i := range s.servers {
		kind, _, name := arnName(i.arn)
		whose := map[string]string{"user": "Users"}[kind]
		if whose == "" {
			whose = "Roles"
		}
		put("Policy", name, "AWS::IAM::Policy", object{"PolicyName": "chunksign", "PolicyDocument": i.rights, whose: []string{name}})
	}
	for _, b := range s.buckets {
		var rules []object
		for _, r := range b.lifecycle.Rules {
			rules = append(rules, object{"Id": r.ID, "Status": r.Status, "Prefix": r.Filter.Prefix, "AbortIncompleteMultipartUpload": r.AbortIncompleteMultipartUpload})
		}
		properties := object{"BucketName": b.name, "LifecycleConfiguration": object{"Rules": rules}}
		if b.cors != nil {
			var rules []object
			for _, r := range b.cors.CORSRules {
				rules = append(rules, object{"AllowedOrigins": r.AllowedOrigins, "AllowedMethods": r.AllowedMethods, "AllowedHeaders": r.AllowedHeaders, "ExposedHeaders": r.ExposeHeaders, "MaxAge": r.MaxAgeSeconds})
			}
			properties["CorsConfiguration"] = object{"CorsRules": rules}
		}
		put("Bucket", b.name, "AWS::S3::Bucket", properties)["DeletionPolicy"] = "Retain"
	}
	text, err := indented(object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Written by chunksign iam. A bucket that is there already has to be imported into the stack.",
		"Resources":                resources,
	}, "")
	if err == nil {
		_, err = fmt.Fprintln(stdout, text)
	}
	return err
}
