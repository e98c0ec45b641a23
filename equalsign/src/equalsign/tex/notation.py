r"""The definitions that every formula of the book may use, as the book prints them.

A definition of a derivation shadows one of these. Where a name is given twice, the meaning is
chosen by the arguments: a distribution, or the probability of one of two outcomes.
"""

__all__ = ["DEFINITIONS"]

DEFINITIONS = (
    r"\sigma(x)=\frac1{1+e^{-x}}",
    r"\mathrm{softplus}(x)=\log(1+e^x)",
    r"\mathrm{softmax}(z)_k=\frac{e^{z_k}}{\sum_je^{z_j}}",
    r"\mathrm{LSE}(z)=\log\sum_ke^{z_k}",
    r"\delta_{ij}=[i=j]",
    r"\mathrm{onehot}(t)_k=[k=t]",
    r"I(p)=-\log p",
    r"H(p)=-\sum_kp_k\log p_k",
    r"H(p)=-p\log p-(1-p)\log(1-p)",
    r"H(p,q)=-\sum_kp_k\log q_k",
    r"H(p,q)=-p\log q-(1-p)\log(1-q)",
    r"\mathrm{KL}(p\,\|\,q)=\sum_kp_k\log\frac{p_k}{q_k}",
    r"\mathrm{KL}(p\,\|\,q)=p\log\frac pq+(1-p)\log\frac{1-p}{1-q}",
    r"\mathcal N(x;\mu,v)=\frac1{\sqrt{2\pi v}}e^{-\frac{(x-\mu)^2}{2v}}",
    r"\Phi(x)=\tfrac12\Bigl(1+\mathrm{erf}\frac x{\sqrt2}\Bigr)",
    r"\mathrm{diag}(p)_{ij}=[i=j]\,p_i",
    r"\mathrm{tr}(A)=\sum_iA_{ii}",
)
