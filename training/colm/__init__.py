"""CoLM and CoLM-Air chain language models: reference model, trainer and checkpoint tools."""

from transformers import AutoConfig, AutoModelForCausalLM

from .config import ColmConfig
from .model import ColmForCausalLM

AutoConfig.register("colm", ColmConfig)
AutoModelForCausalLM.register(ColmConfig, ColmForCausalLM)

__all__ = ["ColmConfig", "ColmForCausalLM"]
