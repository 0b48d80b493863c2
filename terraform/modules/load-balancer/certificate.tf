# The certificate of ACM, which renews itself as long as its validation record stands, and the names of the load balancer.

resource "aws_acm_certificate" "this" {
  domain_name               = local.hosts.ui
  subject_alternative_names = [local.hosts.nomad, local.hosts.oidc]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# By host, which is known before the certificate is there; what to put into the record is not.
resource "aws_route53_record" "validation" {
  for_each = local.hosts
  zone_id  = var.domain.zone_id
  name     = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name if option.domain_name == each.value])
  type     = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_type if option.domain_name == each.value])
  records  = [for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value if option.domain_name == each.value]
  ttl      = 300
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_route53_record" "host" {
  for_each = local.hosts
  zone_id  = var.domain.zone_id
  name     = each.value
  type     = "A"
  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = true
  }
}
